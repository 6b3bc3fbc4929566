-- KEYS: partition. ARGV: run, and the offset that the partition's aggregator has reached; '' when it has just taken it over.
local run, at = ARGV[1], tonumber(ARGV[2])
local partition = partition_at(KEYS[1])
if not partition.next then
  if (at or 0) ~= 0 then return 0 end
  begin_partition(KEYS[1], run)
  return 1
end
if at and partition.next ~= at then return 0 end
if partition.run == run then return 1 end
if not at then return 0 end
redis.call('HSET', KEYS[1], 'run', run)
return 1
