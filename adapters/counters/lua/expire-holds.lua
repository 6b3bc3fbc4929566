-- KEYS: the customer's four keys of holds. ARGV: now.
local keys, now = hold_keys(1), tonumber(ARGV[1])
local expired = come_to(keys, now)
keep_while_needed(keys, now)
return expired
