-- KEYS: the customer's four keys of holds, the tenant's holds. ARGV: now, id, expiresAt.
local now, id, expires, keys = tonumber(ARGV[1]), ARGV[2], ARGV[3], hold_keys(1)
local expired = come_to(keys, now)
local row = hold_at(keys, id, now)
if not row or row[STATE] == 'fenced' then return { 'unknown', expired } end
if row[STATE] == 'held' and tonumber(expires) > tonumber(row[EXPIRES]) then
  row[EXPIRES] = expires
  put_row(keys, id, row)
  redis.call('ZADD', keys.expiring, expires, expiring_member(id, row))
  enter_held_of_tenant(KEYS[5], id, row)
  keep_while_needed(keys, now)
end
return { 'done', expired, cjson.encode(row) }
