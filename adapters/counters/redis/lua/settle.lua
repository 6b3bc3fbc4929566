-- KEYS: partition, its settling holds, counters, the customer's four keys of holds, the tenant's holds. ARGV: run, now, id, name
-- of the customer, quantity, occurredAt, report, hash of the events ('' for a quantity), and what may be settled beyond the held
-- quantity: 'any', 'none' or 'cap' with definition, start of the period, limit ('' for none) and earlier periods.
local run, now, id, customer = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local quantity, occurred, report, beyond, limit = ARGV[5], ARGV[6], ARGV[7], ARGV[9], ARGV[12]
local keys = hold_keys(4)
local expired = come_to(keys, now)
local row = hold_at(keys, id, now)
if not row or row[STATE] == 'fenced' then return { 'unknown', expired } end
if row[STATE] ~= 'held' and row[STATE] ~= 'expired' then return { 'done', expired, cjson.encode(row) } end

-- The held quantity is settled whatever happened since, as nobody else could have it.
local own = row[STATE] == 'held' and row[QUANTITY] or '0'
local settled = quantity
if compare(quantity, own) > 0 and beyond ~= 'any' then
  settled = own
  if beyond == 'cap' then
    local partition = partition_at(KEYS[1])
    if partition.next and partition.run ~= run then return { 'unconfirmed', expired } end
    if not partition.next then return { 'untracked', expired } end
    local used, first = used_under(KEYS[3], partition.generation, row[FEATURE], ARGV[10], ARGV[11], ARGV[13])
    if not used then return { 'untracked', expired } end
    local most = quantity
    if limit ~= '' then
      local others = subtract(held_units(keys, row[FEATURE], first, now), own)
      local left = subtract(subtract(limit, used), others)
      most = compare(left, own) > 0 and left or own
    end
    settled = compare(quantity, most) < 0 and quantity or most
  end
end

leave_held(keys, id, row)
redis.call('ZREM', KEYS[8], id)
row[REQUESTED], row[SETTLED], row[OCCURRED], row[EVENTS] = quantity, settled, occurred, ARGV[8]
local ended = settle_row(keys, KEYS[2], id, customer, row, report, now)
keep_while_needed(keys, now)
return { 'done', expired, cjson.encode(row), ended }
