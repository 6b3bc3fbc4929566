-- KEYS: partition, counters, then the customer's four keys of holds. ARGV: run, now, then feature and start of each wanted
-- period. Returns how many due holds nobody has ended, and per period the counter's definition, from when on it is tracked, used
-- and held units; or null when it is not tracked.
local partition = partition_at(KEYS[1])
if partition.next and partition.run ~= ARGV[1] then return { 'unconfirmed' } end
local keys, now = hold_keys(3), tonumber(ARGV[2])
local readings, due = { 'read', 0 }, 0
for index = 3, #ARGV, 2 do
  local feature, start = ARGV[index], ARGV[index + 1]
  local fields = redis.call('HMGET', KEYS[2], 'generation', 'd:' .. feature, 'f:' .. feature, value_field(feature, start))
  if partition.next and fields[1] == partition.generation and fields[2] then
    local held, dueOfAll = held_units(keys, feature, start, now)
    readings[#readings + 1] = { fields[2], fields[3], used_units(fields[4]), held }
    due = math.max(due, dueOfAll)
  else
    readings[#readings + 1] = false
  end
end
readings[2] = due
return readings
