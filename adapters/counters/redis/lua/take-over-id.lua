-- KEYS: the id's entry. ARGV: our claim, for how long it is needed, and the claim that was abandoned. Returns the claim that stands.
local standing = redis.call('GET', KEYS[1])
if standing and standing ~= ARGV[3] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
  return standing
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
