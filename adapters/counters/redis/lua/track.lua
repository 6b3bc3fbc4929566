-- KEYS: partition, its customers, counters, unique values. ARGV: run, name of the customer, and JSON {at, counters:
-- [[feature, definition, trackedFrom, [[start, state]], periodsKept]]}.
local run, customer, wanted = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local partition = partition_at(KEYS[1])
if not partition.next and wanted.at == 0 then partition = begin_partition(KEYS[1], run) end
if partition.run ~= run then return { 'unconfirmed' } end
if partition.next ~= wanted.at then return { 'stale' } end

redis.call('UNLINK', KEYS[3], KEYS[4])
if #wanted.counters == 0 then
  redis.call('ZREM', KEYS[2], customer)
  return { 'tracked' }
end
redis.call('ZADD', KEYS[2], 0, customer)
redis.call('HSET', KEYS[3], 'generation', partition.generation)
for _, counter in ipairs(wanted.counters) do
  local feature, starts = counter[1], {}
  redis.call('HSET', KEYS[3], 'd:' .. feature, counter[2], 'f:' .. feature, counter[3], 'k:' .. feature, counter[5])
  for index, period in ipairs(counter[4]) do
    starts[index] = period[1]
    redis.call('HSET', KEYS[3], value_field(feature, period[1]), merged(KEYS[4], feature, period[1], nil, period[2]))
  end
  redis.call('HSET', KEYS[3], 'p:' .. feature, table.concat(starts, ' '))
end
return { 'tracked' }
