-- KEYS: the id's entry. ARGV: our claim, and for how long it is needed. Returns the claim that stands.
local standing = redis.call('GET', KEYS[1])
if standing then
  redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
  return standing
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
