#!lua flags=allow-oom
--[[ sweep: forget labels whose counters have expired. In a script, so that none is forgotten that
  a reserve has just begun anew.
  KEYS[1]  labels (set)   KEYS[2..] counters (hash) that the labels name
  ARGV     none
  Returns how many were forgotten
]]
local forgotten = 0
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    forgotten = forgotten + redis.call('SREM', KEYS[1], KEYS[i])
  end
end
return forgotten
