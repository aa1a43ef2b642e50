#!lua flags=allow-oom
--[[ admission: close it, open it in an epoch, or begin an epoch with it closed.
  KEYS[1]  state (hash)
  ARGV[1]  epoch of the caller   ARGV[2]  seq seen
  ARGV[3]  close | open | begin  ARGV[4]  the epoch to open or begin in
  Returns {answer, seq, epoch, now, detail, balances}; answer is one of
    DONE | INVALID_INPUT | STALE_EPOCH
]]
-- include fence

local wanted = amount(ARGV[4])
if not wanted then return reply('INVALID_INPUT') end
if barred() == 'STALE_EPOCH' then return reply('STALE_EPOCH') end
if ARGV[3] == 'close' then
  redis.call('HSET', KEYS[1], 'open', '0')
  return reply('DONE')
end
-- An epoch begins once: a beginning that comes late must not close what another has opened.
if wanted < epoch or (ARGV[3] == 'begin' and wanted == epoch) then return reply('STALE_EPOCH') end
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'open', ARGV[3] == 'open' and '1' or '0')
epoch = wanted
return reply('DONE')
