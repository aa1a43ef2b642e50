#!lua flags=allow-oom
--[[ admission: close it, open it in an epoch, or begin an epoch. What earlier ones left is then to
  be cleared: until admission has been closed once more, nothing of it may be touched.
  KEYS[1]  state (hash)
  ARGV[1]  epoch of the caller   ARGV[2]  fence
  ARGV[3]  close | open | begin  ARGV[4]  the epoch to open or begin in
  Returns what `reply` makes of answer, balances and detail; answer is one of
    DONE | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
]]
-- include fence

local wanted = amount(ARGV[4])
if not wanted then return reply('INVALID_INPUT') end
local stop = barred()
if stop == 'STALE_EPOCH' then return reply(stop) end
-- What its caller began and put back is not all there any more.
if stop and ARGV[3] == 'open' and ARGV[4] == ARGV[1] then return reply(stop) end
if ARGV[3] == 'close' then
  redis.call('HSET', KEYS[1], 'open', '0')
  return reply('DONE')
end
-- An epoch begins once: a beginning that comes late must not close what another has opened.
if wanted < epoch or (ARGV[3] == 'begin' and wanted == epoch) then return reply('STALE_EPOCH') end
-- What gateways did in the epoch before is no measure of this one.
if wanted > epoch then
  last = 0
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'seq', digits(seq),
  'open', ARGV[3] == 'open' and '1' or 'clearing')
epoch = wanted
return reply('DONE')
