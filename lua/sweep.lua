#!lua flags=allow-oom
--[[ sweep: forget labels whose counters have expired. In a script, so that none is forgotten that
  a reserve has just begun anew.
  KEYS[1]  labels (set)   KEYS[2..] counters (hash) that the labels name
  ARGV     none
  Returns  nothing
]]
-- The labels themselves are among the keys, and are no label.
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 0 then redis.call('SREM', KEYS[1], key) end
end
