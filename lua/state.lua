#!lua flags=no-writes
--[[ state: epoch, seq, time, whether admission is open, and how many reservations are open.
  KEYS[1]  state (hash)   KEYS[2]  leases (zset)
  ARGV[1]  epoch   ARGV[2]  fence
  Returns what `reply` makes of answer, balances and detail; answer is one of
    STATE   detail: {1 where admission is open else 0, open reservations}
]]
-- include fence

return reply('STATE', { open and 1 or 0, redis.call('ZCARD', KEYS[2]) })
