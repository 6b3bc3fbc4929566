-- KEYS: the customer's four keys of holds, the tenant's holds. ARGV: now, id.
local now, id, keys = tonumber(ARGV[1]), ARGV[2], hold_keys(1)
local expired = come_to(keys, now)
local row = hold_at(keys, id, now)
if not row or row[STATE] == 'fenced' then return { 'unknown', expired } end
if row[STATE] ~= 'held' and row[STATE] ~= 'expired' then return { 'done', expired, cjson.encode(row), 0 } end
leave_held(keys, id, row)
redis.call('ZREM', KEYS[5], id)
remember(keys, id, row, 'released', now)
keep_while_needed(keys, now)
return { 'done', expired, cjson.encode(row), 1 }
