#!lua flags=allow-oom
--[[ release: end a reservation with nothing booked; one that is not there yet is voided ahead.
  KEYS[1]  state (hash)       KEYS[2]  limits (hash)       KEYS[3]  leases (zset)
  KEYS[4]  reservation (hash) KEYS[5..] its counters (hash), in its lines' order
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  id
  ARGV[4..] envelopes, then ends of the labels in ms, one a line each
  Returns what `reply` makes of answer, balances and detail; answer is one of
    RELEASED | ALREADY_RELEASED | ALREADY_FINALIZED | ALREADY_REAPED | VOIDED_AHEAD
    INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    KEYS     detail: the reservation's lines; send again with their counters
]]
-- include fence
-- include counters
-- include book
local BEFORE = {
  released = 'ALREADY_RELEASED', refused = 'ALREADY_RELEASED', voided = 'VOIDED_AHEAD',
  finalized = 'ALREADY_FINALIZED', reaped = 'ALREADY_REAPED',
}

local stop = barred()
if stop then return reply(stop) end
-- What is there yet is of an earlier epoch, and its counters may be gone.
if state[3] == 'clearing' then return reply('LEDGER_LOST') end

local n = #KEYS - 4
if #ARGV ~= 3 + 2 * n then return reply('INVALID_INPUT') end
local hold = redis.call('HMGET', KEYS[4], 'state', 'units', 'held', 'lines')
if BEFORE[hold[1]] then return reply(BEFORE[hold[1]]) end
if not hold[1] then
  move()
  redis.call('HSET', KEYS[4], 'state', 'voided')
  redis.call('PEXPIREAT', KEYS[4], remembered())
  return reply('VOIDED_AHEAD')
end
if not hold[2] or not hold[4] then return reply('INVALID_INPUT') end
if #hold[2] ~= n then return reply('KEYS', hold[4]) end
local helds = amountsOf(hold[3])
if not helds or #helds ~= n then return reply('INVALID_INPUT') end
readCounters(5, 4, n)

move()
for i = 1, n do
  reserved[i] = redis.call('HINCRBY', KEYS[4 + i], 'reserved', digits(-helds[i]))
  rest(KEYS[4 + i], reserved[i], ARGV[3 + n + i])
end
redis.call('HSET', KEYS[4], 'state', 'released', 'charged', '0 0 0 0')
redis.call('HDEL', KEYS[4], 'held', 'limits', 'floor', 'seen', 'owner', 'stub')
redis.call('PEXPIREAT', KEYS[4], remembered())
redis.call('ZREM', KEYS[3], ARGV[3])
return reply('RELEASED', '', balances(n))
