#!lua flags=allow-oom
--[[ extend: more hold on every line of a unit, or on none; renews the lease.
  KEYS[1]  state (hash)       KEYS[2]  limits (hash)       KEYS[3]  leases (zset)
  KEYS[4]  reservation (hash) KEYS[5..] its counters (hash), in its lines' order
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  id   ARGV[4]  lease ms
  ARGV[5..8] more, by unit (n t r c)      ARGV[9..] envelopes, one a line
  Returns what `reply` makes of answer, balances and detail; answer is one of
    EXTENDED | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    DENIED   detail: line limit committed reserved of every line without room
    GONE     detail: finalized | released | reaped | unknown
    KEYS     detail: the reservation's lines; send again with their counters
]]
-- include fence
-- include counters
-- include room
-- include book

local stop = barred()
if stop then return reply(stop) end
if not open then return reply('LEDGER_LOST') end

local n = #KEYS - 4
if #ARGV ~= 8 + n then return reply('INVALID_INPUT') end
for i = 4, 8 do
  if not amount(ARGV[i]) then return reply('INVALID_INPUT') end
end

local hold = redis.call('HMGET', KEYS[4], 'state', 'units', 'held', 'lines')
if hold[1] ~= 'held' and hold[1] ~= 'sent' then
  return reply('GONE', endingOf(hold[1]))
end
if not hold[2] or not hold[4] then return reply('INVALID_INPUT') end
if #hold[2] ~= n then return reply('KEYS', hold[4]) end
local held = amountsOf(hold[3])
if not held or #held ~= n then return reply('INVALID_INPUT') end
readCounters(5, 9, n)

local more, shortages, isPast = {}, {}, false
for i = 1, n do
  more[i] = amount(ARGV[5 + UNITS[string.sub(hold[2], i, i)]])
  local version, limit, mode = readLimit(limits[i])
  -- A line that asks for nothing is not looked at: a limit lowered meanwhile cancels nothing.
  if more[i] > 0 and version and mode == 'b' and limit and isShort(i, more[i], limit) then
    shortages[#shortages + 1] = shortage(i, limit)
  elseif isPastCap(reserved[i], more[i]) then
    isPast = true
  end
end
if #shortages > 0 then return reply('DENIED', table.concat(shortages, ' '), balances(n)) end
if isPast then return reply('INVALID_INPUT') end

move()
for i = 1, n do
  if more[i] > 0 then
    reserved[i] = redis.call('HINCRBY', KEYS[4 + i], 'reserved', digits(more[i]))
    -- A counter at rest has a clock; what holds something again must not expire.
    redis.call('PERSIST', KEYS[4 + i])
    held[i] = held[i] + more[i]
  end
end
redis.call('HSET', KEYS[4], 'held', textOf(held))
redis.call('ZADD', KEYS[3], digits(now + amount(ARGV[4])), ARGV[3])
return reply('EXTENDED', '', balances(n))
