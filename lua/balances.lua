#!lua flags=no-writes
--[[ balances: counters and limits as they are now, in one look.
  KEYS[1]  state (hash)   KEYS[2]  limits (hash)   KEYS[3..] counters (hash)
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3..] envelopes, one a counter
  Returns what `reply` makes of answer, balances and detail; answer is one of
    BALANCES
]]
-- include fence
-- include counters

local n = #KEYS - 2
readCounters(3, 3, n)
return reply('BALANCES', '', balances(n))
