-- KEYS: requests of the partition, and how many of them each tenant has. ARGV: name of the customer, its tenant, the most requests that
-- may wait, and of one tenant, channel, number of the partition. Returns whose bound is reached, or 'placed'.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  if tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or 0) >= tonumber(ARGV[4]) then return 'tenant' end
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'partition' end
  redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
  redis.call('HSET', KEYS[1], ARGV[1], '')
end
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 'placed'
