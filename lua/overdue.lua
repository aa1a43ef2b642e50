#!lua flags=no-writes
--[[ overdue: ids whose lease has ended, from a random place where there are more than asked, so
  that several reapers do not all fight for the same head.
  KEYS[1]  state (hash)   KEYS[2]  leases (zset)
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  how many   ARGV[4]  a random number
  Returns what `reply` makes of answer, balances and detail; answer is one of
    OVERDUE   detail: ids
]]
-- include fence

local due = redis.call('ZCOUNT', KEYS[2], '-inf', digits(now))
local places = math.max(due - amount(ARGV[3]), 0) + 1
local first = digits(amount(ARGV[4]) % places)
return reply('OVERDUE',
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', digits(now), 'LIMIT', first, ARGV[3]))
