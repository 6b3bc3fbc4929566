-- Counters of one customer: a hash with `generation` and, per feature, `d:` its definition, `f:` from when on it is tracked,
-- `k:` how many begun periods are kept, `p:` the starts of its periods, and `v:<feature> <start>` the state of each. Values of unique counts are members
-- `<feature> <start> <value>` of a sorted set beside it, all with score 0 and so in the order of their bytes.
-- A state is one line: `add 12`, `max 5`, `average 10 3` (sum, events), `latest 5 <occurredAtMs> <offset> <index>`, `unique 3`.

local function value_field(feature, start)
  return 'v:' .. feature .. ' ' .. start
end

local function add_unique(valuesKey, feature, start, update)
  local added = 0
  for index = 2, #update do
    added = added + redis.call('ZADD', valuesKey, 0, feature .. ' ' .. start .. ' ' .. update[index])
  end
  return added
end

local function is_later(a, b)
  for index = 3, 5 do
    local ofA, ofB = tonumber(a[index]), tonumber(b[index])
    if ofA ~= ofB then return ofA > ofB end
  end
  return false
end

-- The line of the state after the update, a list of the same words; a null state begins a new period.
local function merged(valuesKey, feature, start, state, update)
  local kind = update[1]
  if kind == 'unique' then
    local known = state and tonumber(words_of(state)[2]) or 0
    return 'unique ' .. offset_text(known + add_unique(valuesKey, feature, start, update))
  end
  if not state then return table.concat(update, ' ') end
  local words = words_of(state)
  if kind == 'add' then return 'add ' .. add(words[2], update[2]) end
  if kind == 'max' then return compare(update[2], words[2]) > 0 and table.concat(update, ' ') or state end
  if kind == 'min' then return compare(update[2], words[2]) < 0 and table.concat(update, ' ') or state end
  if kind == 'average' then return 'average ' .. add(words[2], update[2]) .. ' ' .. add(words[3], update[3]) end
  if kind == 'latest' then return is_later(update, words) and table.concat(update, ' ') or state end
  error('unknown kind of state ' .. tostring(kind))
end

-- The used units of a state, in nano units.
local function used_units(state)
  if not state then return '0' end
  if string.sub(state, 1, 4) == 'add ' then return string.sub(state, 5) end
  local words = words_of(state)
  if words[1] == 'average' then
    if words[3] == '0' then return '0' end
    return divide(words[2], tonumber(words[3]))
  end
  if words[1] == 'unique' then return words[2] == '0' and '0' or words[2] .. '000000000' end
  return words[2]
end

-- Drops all begun periods but the last few; tracking then begins with the first one kept.
local function prune_periods(counterKey, valuesKey, feature, starts, now)
  local begun, kept = {}, {}
  for _, start in ipairs(starts) do
    if tonumber(start) <= now then begun[#begun + 1] = start else kept[#kept + 1] = start end
  end
  local periodsKept = tonumber(redis.call('HGET', counterKey, 'k:' .. feature))
  if #begun > periodsKept then
    table.sort(begun, function(a, b) return tonumber(a) > tonumber(b) end)
    for index = periodsKept + 1, #begun do
      redis.call('HDEL', counterKey, value_field(feature, begun[index]))
      local prefix = feature .. ' ' .. begun[index]
      redis.call('ZREMRANGEBYLEX', valuesKey, '[' .. prefix .. ' ', '(' .. prefix .. '!')
    end
    redis.call('HSET', counterKey, 'f:' .. feature, begun[periodsKept])
    for index = 1, periodsKept do
      kept[#kept + 1] = begun[index]
    end
    starts = kept
  end
  redis.call('HSET', counterKey, 'p:' .. feature, table.concat(starts, ' '))
end

-- 'counted', or the reason why the delta was dropped.
local function count(counterKey, valuesKey, generation, delta, now)
  local feature, start = delta.feature, delta.start
  local fields = redis.call('HMGET', counterKey, 'generation', 'd:' .. feature, 'f:' .. feature, value_field(feature, start))
  if fields[1] ~= generation or not fields[2] then return 'untracked' end
  if fields[2] ~= delta.definition then return 'other_definition' end
  if tonumber(start) < tonumber(fields[3]) then return 'before_tracking' end
  redis.call('HSET', counterKey, value_field(feature, start), merged(valuesKey, feature, start, fields[4], delta.update))
  if not fields[4] then
    local starts = words_of(redis.call('HGET', counterKey, 'p:' .. feature) or '')
    starts[#starts + 1] = start
    prune_periods(counterKey, valuesKey, feature, starts, now)
  end
  return 'counted'
end

-- Used units in a period while the counter is the one that the cap expects, and the start of the first period that the cap looks
-- at; nil when it is not tracked under that definition, or when earlier periods no longer have the usage that the limit was
-- worked out from (`earlier`: JSON of [start, used units]).
local function used_under(counterKey, generation, feature, definition, start, earlier)
  local expected = cjson.decode(earlier)
  local first = expected[1] and expected[1][1] or start
  local fields = redis.call('HMGET', counterKey, 'generation', 'd:' .. feature, 'f:' .. feature, value_field(feature, start))
  if fields[1] ~= generation or fields[2] ~= definition or tonumber(fields[3]) > tonumber(first) then return nil end
  for _, each in ipairs(expected) do
    if used_units(redis.call('HGET', counterKey, value_field(feature, each[1]))) ~= each[2] then return nil end
  end
  return used_units(fields[4]), first
end
