#!lua flags=allow-oom
--[[ lease: one worker at a time, with a fencing token that only rises.
  KEYS[1]  lease (string, its token)   KEYS[2]  the last token given (string)
  ARGV[1]  take | renew | release      ARGV[2]  token (renew, release)   ARGV[3]  ms
  Returns the token where the lease is the caller's (after release: was), else 0
]]
local holder = redis.call('GET', KEYS[1])
if ARGV[1] == 'take' then
  if holder then return 0 end
  local token = redis.call('INCR', KEYS[2])
  redis.call('SET', KEYS[1], string.format('%.0f', token), 'PX', ARGV[3])
  return token
end
if holder ~= ARGV[2] then return 0 end
if ARGV[1] == 'renew' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return tonumber(holder)
