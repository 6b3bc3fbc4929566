-- KEYS: partition, counters, the customer's four keys of holds, the tenant's holds in the partition, the partition's settling
-- holds. ARGV: run, now, id, turn of the claim on it, feature, quantity, expiresAt, definition, start of the period, limit ('' for
-- none), earlier periods, the most holds of the tenant; to settle at once, name of the customer, report and
-- '1' to take what fits, else '' for all.
local run, now, id, turn, feature = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local quantity, expires, definition, start, limit = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local keys = hold_keys(3)
local expired = come_to(keys, now)
local known = hold_at(keys, id, now)
if known and known[STATE] ~= 'fenced' then return { 'exists', expired, cjson.encode(known) } end
if known and tonumber(known[REPORT]) >= tonumber(turn) then return { 'fenced', expired, known[REPORT] } end

local partition = partition_at(KEYS[1])
if not partition.next then return { 'untracked', expired } end
if partition.run ~= run then return { 'unconfirmed', expired } end
local used, first = used_under(KEYS[2], partition.generation, feature, definition, start, ARGV[11])
if not used then return { 'untracked', expired } end
local held = held_units(keys, feature, first, now)
local taken = quantity
if limit ~= '' and compare(add(add(used, held), quantity), limit) > 0 then
  taken = subtract(limit, add(used, held))
  if ARGV[15] ~= '1' or compare(taken, '0') <= 0 then return { 'refused', expired, used, held } end
end

if held_of_tenant(KEYS[7], now) >= tonumber(ARGV[12]) then return { 'too_many', expired } end
local row = { feature, quantity, ARGV[2], expires, 'held', '0', '0', '0', '0', '', '' }
if ARGV[13] == '' then
  put_row(keys, id, row)
  redis.call('ZREM', keys.forgetting, id)
  enter_held(keys, id, row)
  enter_held_of_tenant(KEYS[7], id, row)
else
  row[REQUESTED], row[SETTLED], row[OCCURRED] = quantity, taken, ARGV[2]
  settle_row(keys, KEYS[8], id, ARGV[13], row, ARGV[14], now)
end
keep_while_needed(keys, now)
return { 'held', expired, used, add(held, taken), taken }
