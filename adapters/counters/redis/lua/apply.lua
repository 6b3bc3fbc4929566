-- KEYS: partition, its settling holds, then per counted customer its counters and unique values, then per customer with
-- settled holds its four keys. ARGV: run, and JSON {now, definitions, counted (customers), settlers, records:
-- [[offset, [[customer, feature, definition, start, update]], [[settler, id]]]]}; customers and definitions by number from 1.
local run, batch = ARGV[1], cjson.decode(ARGV[2])
local partition = partition_at(KEYS[1])
if not partition.next and batch.records[1][1] == 0 then partition = begin_partition(KEYS[1], run) end
if partition.run ~= run then return { 'unconfirmed' } end

local results = { counted = 0, untracked = 0, other_definition = 0, before_tracking = 0 }
local next, settled, touched = partition.next, 0, {}
for _, record in ipairs(batch.records) do
  local offset = record[1]
  if offset >= next then
    for _, each in ipairs(record[2]) do
      local place = 1 + 2 * each[1]
      local delta = { feature = each[2], definition = batch.definitions[each[3]], start = each[4], update = each[5] }
      local result = count(KEYS[place], KEYS[place + 1], partition.generation, delta, batch.now)
      results[result] = results[result] + 1
    end
    for _, each in ipairs(record[3]) do
      local keys, id = hold_keys(4 * each[1] - 1 + 2 * batch.counted), each[2]
      local row = hold_row(keys, id)
      if row and row[STATE] == 'settling' then
        leave_settling(keys, id, row)
        row[REPORT] = ''
        remember(keys, id, row, 'settled', batch.now)
        redis.call('ZREM', KEYS[2], settling_member(id, batch.settlers[each[1]]))
        settled = settled + 1
        touched[each[1]] = keys
      elseif row and row[STATE] == 'held' then
        -- An event that was sent by its user: what it counts is used from here on, so nothing of the hold is left to settle.
        leave_held(keys, id, row)
        remember(keys, id, row, 'released', batch.now)
        touched[each[1]] = keys
      end
    end
    next = offset + 1
  end
end
for _, keys in pairs(touched) do keep_while_needed(keys, batch.now) end
redis.call('HSET', KEYS[1], 'next', offset_text(next))
return { 'applied', results.counted, results.untracked, results.other_definition, results.before_tracking, settled }
