-- KEYS: partition, counters. Returns features and definitions in turn.
local partition = partition_at(KEYS[1])
local fields = redis.call('HGETALL', KEYS[2])
local isCurrent, found = false, {}
for index = 1, #fields, 2 do
  local name, value = fields[index], fields[index + 1]
  if name == 'generation' then isCurrent = partition.next and value == partition.generation end
  if string.sub(name, 1, 2) == 'd:' then
    found[#found + 1] = string.sub(name, 3)
    found[#found + 1] = value
  end
end
return isCurrent and found or {}
