-- KEYS: partition, its requests, and how many of them each tenant has. ARGV: run.
local partition = partition_at(KEYS[1])
if partition.next and partition.run ~= ARGV[1] then return { 'unconfirmed' } end
local names = redis.call('HKEYS', KEYS[2])
redis.call('UNLINK', KEYS[2], KEYS[3])
return { 'taken', names }
