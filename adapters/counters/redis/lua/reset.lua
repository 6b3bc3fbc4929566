-- KEYS: partition. ARGV: run, position. Earlier counts belong to the generation before, which nobody reads.
local partition = partition_at(KEYS[1])
redis.call('HSET', KEYS[1], 'next', ARGV[2], 'generation', offset_text(tonumber(partition.generation) + 1), 'run', ARGV[1])
return 1
