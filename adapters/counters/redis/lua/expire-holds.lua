-- KEYS: the customer's four keys of holds. ARGV: now. Returns how many expired, and when the next one is due ('' for never).
local keys, now = hold_keys(1), tonumber(ARGV[1])
local expired = come_to(keys, now)
keep_while_needed(keys, now)
return { expired, redis.call('ZRANGE', keys.expiring, 0, 0, 'WITHSCORES')[2] or '' }
