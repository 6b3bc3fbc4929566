-- KEYS: partition, its customers, then per customer its counters and unique values. ARGV: per customer its name. Removes the
-- counters of generations before the last reset.
local partition = partition_at(KEYS[1])
for index, customer in ipairs(ARGV) do
  local counterKey, valuesKey = KEYS[1 + 2 * index], KEYS[2 + 2 * index]
  if redis.call('HGET', counterKey, 'generation') ~= partition.generation then
    redis.call('UNLINK', counterKey, valuesKey)
    redis.call('ZREM', KEYS[2], customer)
  end
end
return 1
