#!lua flags=allow-oom
--[[ clear: forget what earlier epochs left, while this one has not opened. In a script, so that a
  command that comes late takes nothing from a later epoch.
  KEYS[1]  state (hash)    KEYS[2..] what goes
  ARGV[1]  epoch   ARGV[2]  fence
  Returns what `reply` makes of answer, balances and detail; answer is one of
    DONE | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
]]
-- include fence

local stop = barred()
if stop then return reply(stop) end
if open then return reply('INVALID_INPUT') end
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return reply('DONE')
