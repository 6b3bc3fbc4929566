-- KEYS: partition, counters, unique values. Returns per feature: its name, definition, from when on it is tracked, and per period
-- its start and state; a unique count has its values instead of their number.
local partition = partition_at(KEYS[1])
if not partition.next or redis.call('HGET', KEYS[2], 'generation') ~= partition.generation then return {} end
local snapshot = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do
  if string.sub(name, 1, 2) == 'd:' then
    local feature = string.sub(name, 3)
    local fields = redis.call('HMGET', KEYS[2], name, 'f:' .. feature, 'p:' .. feature)
    local counter = { feature, fields[1], fields[2] }
    for _, start in ipairs(words_of(fields[3])) do
      local state = words_of(redis.call('HGET', KEYS[2], value_field(feature, start)))
      if state[1] == 'unique' then
        local prefix = feature .. ' ' .. start
        state = { 'unique' }
        for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], '[' .. prefix .. ' ', '(' .. prefix .. '!')) do
          state[#state + 1] = string.sub(member, #prefix + 2)
        end
      end
      counter[#counter + 1] = start
      counter[#counter + 1] = state
    end
    snapshot[#snapshot + 1] = counter
  end
end
return snapshot
