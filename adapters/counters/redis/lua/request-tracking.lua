-- KEYS: requests of the partition. ARGV: name of the customer, the most requests that may wait, channel, number of the partition.
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[2]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], '')
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
