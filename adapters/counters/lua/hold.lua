-- Holds of one customer, in four keys: `rows`, a hash of `h:<id>` to the hold as a JSON list, and of the sums `n:<feature>`
-- (held) and `s:<feature>` (settling); and sorted sets of ids: `expiring` by when they expire (the held ones), `settling` by
-- event time, `forgetting` by when what has ended may be forgotten. Times and quantities are texts, exact as they came.

local FEATURE, QUANTITY, CREATED, EXPIRES, STATE, FORGET, REQUESTED, SETTLED, OCCURRED, REPORT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

local MEMORY_MS = 86400000
local DUE_AT_ONCE_MAX = 500

local function hold_keys(from)
  return { rows = KEYS[from], expiring = KEYS[from + 1], settling = KEYS[from + 2], forgetting = KEYS[from + 3] }
end

local function hold_row(keys, id)
  local row = redis.call('HGET', keys.rows, 'h:' .. id)
  return row and cjson.decode(row) or nil
end

local function put_row(keys, id, row)
  redis.call('HSET', keys.rows, 'h:' .. id, cjson.encode(row))
end

local function add_to_sum(keys, field, units)
  local sum = add(redis.call('HGET', keys.rows, field) or '0', units)
  if sum == '0' then redis.call('HDEL', keys.rows, field) else redis.call('HSET', keys.rows, field, sum) end
end

local function enter_held(keys, id, row)
  redis.call('ZADD', keys.expiring, row[EXPIRES], id)
  add_to_sum(keys, 'n:' .. row[FEATURE], row[QUANTITY])
end

local function leave_held(keys, id, row)
  redis.call('ZREM', keys.expiring, id)
  add_to_sum(keys, 'n:' .. row[FEATURE], negate(row[QUANTITY]))
end

local function enter_settling(keys, id, row)
  redis.call('ZADD', keys.settling, row[OCCURRED], id)
  add_to_sum(keys, 's:' .. row[FEATURE], row[SETTLED])
end

local function leave_settling(keys, id, row)
  redis.call('ZREM', keys.settling, id)
  add_to_sum(keys, 's:' .. row[FEATURE], negate(row[SETTLED]))
end

local function remember(keys, id, row, state, now)
  row[STATE] = state
  row[FORGET] = offset_text(math.max(tonumber(row[EXPIRES]), now) + MEMORY_MS)
  put_row(keys, id, row)
  redis.call('ZADD', keys.forgetting, row[FORGET], id)
end

-- Ends every hold whose time has come, and forgets some of what ended long ago. Returns how many expired.
local function come_to(keys, now)
  local expired = 0
  while true do
    local due = redis.call('ZRANGEBYSCORE', keys.expiring, '-inf', offset_text(now), 'LIMIT', 0, DUE_AT_ONCE_MAX)
    for _, id in ipairs(due) do
      local row = hold_row(keys, id)
      leave_held(keys, id, row)
      remember(keys, id, row, 'expired', now)
    end
    expired = expired + #due
    if #due < DUE_AT_ONCE_MAX then break end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', keys.forgetting, '-inf', offset_text(now), 'LIMIT', 0, DUE_AT_ONCE_MAX)) do
    redis.call('HDEL', keys.rows, 'h:' .. id)
    redis.call('ZREM', keys.forgetting, id)
  end
  return expired
end

-- What is held of a feature: all that is held, and what settles into the period or a later one. Writes nothing, so holds
-- that are due but not ended yet are taken off.
local function held_units(keys, feature, start, now)
  local sums = redis.call('HMGET', keys.rows, 'n:' .. feature, 's:' .. feature)
  local units = sums[1] or '0'
  if sums[1] then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', keys.expiring, '-inf', offset_text(now))) do
      local row = hold_row(keys, id)
      if row[FEATURE] == feature then units = subtract(units, row[QUANTITY]) end
    end
  end
  if not sums[2] then return units end
  if redis.call('ZCOUNT', keys.settling, '-inf', '(' .. start) == 0 then return add(units, sums[2]) end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', keys.settling, start, '+inf')) do
    local row = hold_row(keys, id)
    if row[FEATURE] == feature then units = add(units, row[SETTLED]) end
  end
  return units
end

-- Customers whose holds have all ended leave nothing behind once these are forgotten.
local function keep_while_needed(keys, now)
  local all = { keys.rows, keys.expiring, keys.settling, keys.forgetting }
  if redis.call('ZCARD', keys.settling) > 0 then
    for _, key in ipairs(all) do redis.call('PERSIST', key) end
    return
  end
  local lastMs = now
  for _, key in ipairs({ keys.expiring, keys.forgetting }) do
    local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
    if last[2] then lastMs = math.max(lastMs, tonumber(last[2])) end
  end
  -- Twice as long as it is remembered: a hold that expires is remembered from then on.
  for _, key in ipairs(all) do redis.call('PEXPIRE', key, offset_text(lastMs - now + 2 * MEMORY_MS)) end
end

local function settling_member(id, customer)
  return id .. ' ' .. customer
end
