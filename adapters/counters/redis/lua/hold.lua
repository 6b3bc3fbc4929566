-- Holds of one customer, in four keys: `rows`, a hash of `h:<id>` to the hold as a JSON list, and of the sums `n:<feature>`
-- (held) and `s:<feature>` (settling); and sorted sets: `expiring` of members `<id> <quantity> <feature>` by when they expire,
-- `settling` of ids by event time, `forgetting` of ids by when an ended hold may be forgotten. Times and quantities are texts,
-- exact as they came. A hold that is due stays in `expiring` and in the sum until a later script ends it: each script ends only
-- some, as Redis answers nobody else meanwhile. Its row says 'held' before and after it is due: `expiring` says whether it still
-- is.

local FEATURE, QUANTITY, CREATED, EXPIRES, STATE, FORGET, REQUESTED, SETTLED, OCCURRED, REPORT, EVENTS = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11

local MEMORY_MS = 86400000
local ENDED_AT_ONCE_MAX = 100
local EXACT_MAX = 4503599627370496

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

local function expiring_member(id, row)
  return id .. ' ' .. row[QUANTITY] .. ' ' .. row[FEATURE]
end

local function enter_held(keys, id, row)
  redis.call('ZADD', keys.expiring, row[EXPIRES], expiring_member(id, row))
  add_to_sum(keys, 'n:' .. row[FEATURE], row[QUANTITY])
end

local function leave_held(keys, id, row)
  if redis.call('ZREM', keys.expiring, expiring_member(id, row)) == 1 then
    add_to_sum(keys, 'n:' .. row[FEATURE], negate(row[QUANTITY]))
  end
end

-- The hold as it is now; nil when there is none.
local function hold_at(keys, id, now)
  local row = hold_row(keys, id)
  if not row or row[STATE] ~= 'held' then return row end
  local expires = redis.call('ZSCORE', keys.expiring, expiring_member(id, row))
  if not expires or tonumber(expires) <= now then row[STATE] = 'expired' end
  return row
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

-- Ends some of the holds that are due, and forgets some of those that ended long ago. Returns how many expired.
local function come_to(keys, now)
  local due = redis.call('ZRANGEBYSCORE', keys.expiring, '-inf', offset_text(now), 'WITHSCORES', 'LIMIT', 0, ENDED_AT_ONCE_MAX)
  if #due > 0 then
    local members, forgetting, sums = {}, {}, {}
    for at = 1, #due, 2 do
      local id, quantity, feature = string.match(due[at], '^(%S+) (%S+) (.+)$')
      members[#members + 1] = due[at]
      forgetting[at], forgetting[at + 1] = offset_text(tonumber(due[at + 1]) + MEMORY_MS), id
      sums[feature] = add(sums[feature] or '0', quantity)
    end
    redis.call('ZREM', keys.expiring, unpack(members))
    redis.call('ZADD', keys.forgetting, unpack(forgetting))
    for feature, units in pairs(sums) do add_to_sum(keys, 'n:' .. feature, negate(units)) end
  end
  local old = redis.call('ZRANGEBYSCORE', keys.forgetting, '-inf', offset_text(now), 'LIMIT', 0, ENDED_AT_ONCE_MAX)
  if #old > 0 then
    local fields = {}
    for at, id in ipairs(old) do fields[at] = 'h:' .. id end
    redis.call('HDEL', keys.rows, unpack(fields))
    redis.call('ZREM', keys.forgetting, unpack(old))
  end
  return #due / 2
end

-- Units that are due but still in a feature's sum, and how many such holds the customer has.
local function due_units(keys, feature, now)
  local units, exact = '0', 0
  local due = redis.call('ZRANGEBYSCORE', keys.expiring, '-inf', offset_text(now))
  for _, member in ipairs(due) do
    local quantity, of = string.match(member, '^%S+ (%S+) (.+)$')
    if of == feature and #quantity > SHORT_DIGITS then
      units = add(units, quantity)
    elseif of == feature then
      exact = exact + tonumber(quantity)
      if exact > EXACT_MAX then
        units, exact = add(units, offset_text(exact)), 0
      end
    end
  end
  return add(units, offset_text(exact)), #due
end

-- Held units of a feature: all holds that are held, and those that settle into the period or a later one; and how many due holds
-- nobody has ended. Writes nothing.
local function held_units(keys, feature, start, now)
  local sums = redis.call('HMGET', keys.rows, 'n:' .. feature, 's:' .. feature)
  local units, due = '0', 0
  if sums[1] then
    units, due = due_units(keys, feature, now)
    units = subtract(sums[1], units)
  end
  if not sums[2] then return units, due end
  if redis.call('ZCOUNT', keys.settling, '-inf', '(' .. start) == 0 then return add(units, sums[2]), due end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', keys.settling, start, '+inf')) do
    local row = hold_row(keys, id)
    if row[FEATURE] == feature then units = add(units, row[SETTLED]) end
  end
  return units, due
end

-- Once all holds of a customer have ended and are forgotten, its keys are gone too.
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
  -- Twice the time that a hold is remembered, as a hold that expires is remembered from then on.
  for _, key in ipairs(all) do redis.call('PEXPIRE', key, offset_text(lastMs - now + 2 * MEMORY_MS)) end
end

-- The number of a tenant's holds in this partition that are not due, by their expiry; forgets some of the due ones.
local function held_of_tenant(key, now)
  local due = redis.call('ZRANGEBYSCORE', key, '-inf', offset_text(now), 'LIMIT', 0, ENDED_AT_ONCE_MAX)
  if #due > 0 then redis.call('ZREM', key, unpack(due)) end
  return redis.call('ZCOUNT', key, '(' .. offset_text(now), '+inf')
end

local function enter_held_of_tenant(key, id, row)
  redis.call('ZADD', key, row[EXPIRES], id)
  -- A hold lasts at most a day; the key stays for another.
  redis.call('PEXPIRE', key, offset_text(2 * MEMORY_MS))
end

local function settling_member(id, customer)
  return id .. ' ' .. customer
end

-- Begins the settlement that the row says, EVENTS included, in the partition's sorted set `settling`. A settled quantity of 0 has
-- no usage event to wait for, unless events were settled. Returns how many holds have ended by it.
local function settle_row(keys, settling, id, customer, row, report, now)
  redis.call('ZREM', keys.forgetting, id)
  if row[SETTLED] == '0' and row[EVENTS] == '' then
    remember(keys, id, row, 'settled', now)
    return 1
  end
  row[STATE], row[FORGET], row[REPORT] = 'settling', '0', report
  put_row(keys, id, row)
  enter_settling(keys, id, row)
  redis.call('ZADD', settling, 0, settling_member(id, customer))
  return 0
end
