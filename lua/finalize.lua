#!lua flags=allow-oom
--[[ finalize: book the true amount on every line and give the hold back, once. Never refused for
  want of room. After a reap or a release it books the difference, as one late record.
  KEYS[1]  state (hash)     KEYS[2]  limits (hash)    KEYS[3]  leases (zset)
  KEYS[4]  outbox (stream)  KEYS[5]  labels (set)     KEYS[6]  reservation (hash)
  KEYS[7..] its counters (hash), in its lines' order
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  id   ARGV[4..7]  actual, by unit (n t r c)
  ARGV[8]  event (JSON)    ARGV[9..] envelopes, then ends of the labels in ms, one a line each
  Returns what `reply` makes of answer, balances and detail; answer is one of
    ALREADY_FINALIZED | UNKNOWN | CORRUPT | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    FINALIZED | LATE_FINALIZE   detail: amount and overrun of each line
    KEYS     detail: the reservation's lines; send again with their counters
]]
-- include fence
-- include counters
-- include book

local stop = barred()
if stop then return reply(stop) end
if not open then return reply('LEDGER_LOST') end

local n = #KEYS - 6
if #ARGV ~= 8 + 2 * n then return reply('INVALID_INPUT') end
local actuals = {}
for unit = 0, 3 do
  actuals[unit] = amount(ARGV[4 + unit])
  if not actuals[unit] then return reply('INVALID_INPUT') end
end

local hold = redis.call('HMGET', KEYS[6], 'state', 'units', 'held', 'charged', 'lines', 'late')
local phase = hold[1]
if not phase or phase == 'refused' or phase == 'voided' then return reply('UNKNOWN') end
if phase == 'finalized' or hold[6] == '1' then return reply('ALREADY_FINALIZED') end
if not hold[2] or not hold[5] then return reply('CORRUPT') end
if #hold[2] ~= n then return reply('KEYS', hold[5]) end
readCounters(7, 9, n)

-- A hold that has ended is gone and its room may be taken: all that comes on top is overrun.
local isOpen = phase == 'held' or phase == 'sent'
local helds = amountsOf(isOpen and hold[3] or string.rep('0 ', n))
local charged = isOpen and {} or amountsOf(hold[4])
if not helds or #helds ~= n then return reply('CORRUPT') end
if not charged or not isOpen and #charged ~= 4 then return reply('CORRUPT') end

local booked, overruns, left, total = {}, {}, {}, {}
for i = 1, n do
  local unit = UNITS[string.sub(hold[2], i, i)]
  local actual = actuals[unit]
  local before, holding = tonumber(committed[i] or 0), tonumber(reserved[i] or 0)
  if actual > AMOUNT_MAX - before or actual > AMOUNT_MAX - (tonumber(overrun[i]) or 0) then
    return reply('INVALID_INPUT')
  end
  if isOpen and (not reserved[i] or holding < helds[i]) then
    return reply('CORRUPT')
  end
  booked[i] = math.max(actual - (charged[1 + unit] or 0), -before)
  overruns[i] = math.max(booked[i] - helds[i], 0)
  left[i], total[i] = holding - helds[i], before + booked[i]
end

move()
local detail = {}
for i = 1, n do
  local key = KEYS[6 + i]
  if not committed[i] then begin(KEYS[5], key, string.sub(hold[2], i, i)) end
  detail[2 * i - 1] = digits(booked[i])
  detail[2 * i] = digits(overruns[i])
  -- What was read a moment ago cannot have moved: one command instead of two.
  reserved[i], committed[i] = digits(left[i]), digits(total[i])
  redis.call('HSET', key, 'reserved', reserved[i], 'committed', committed[i])
  if overruns[i] > 0 then
    overrun[i] = redis.call('HINCRBY', key, 'overrun', detail[2 * i])
  end
  rest(key, reserved[i], ARGV[8 + n + i])
end
if isOpen then
  redis.call('HSET', KEYS[6], 'state', 'finalized')
  redis.call('HDEL', KEYS[6], 'held', 'limits', 'floor', 'seen', 'owner', 'stub')
  redis.call('PEXPIREAT', KEYS[6], remembered())
  redis.call('ZREM', KEYS[3], ARGV[3])
else
  redis.call('HSET', KEYS[6], 'late', '1')
end
local told = table.concat(detail, ' ')
redis.call('XADD', KEYS[4], '*', 'kind', isOpen and 'base' or 'late', 'event', ARGV[8],
  'lines', hold[5], 'booked', told,
  'seq', digits(seq), 'epoch', digits(epoch), 'at', digits(now))
return reply(isOpen and 'FINALIZED' or 'LATE_FINALIZE', told, balances(n))
