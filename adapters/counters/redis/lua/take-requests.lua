-- KEYS: partition, its requests. ARGV: run.
local partition = partition_at(KEYS[1])
if partition.next and partition.run ~= ARGV[1] then return { 'unconfirmed' } end
local names = redis.call('HKEYS', KEYS[2])
redis.call('UNLINK', KEYS[2])
return { 'taken', names }
