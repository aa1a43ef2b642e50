#!lua flags=allow-oom
--[[ adjust: move committed by a visible entry, up or down, once by its own id. The only way by
  which committed may fall; it never falls below 0.
  KEYS[1]  state (hash)    KEYS[2]  limits (hash)   KEYS[3]  outbox (stream)
  KEYS[4]  labels (set)    KEYS[5]  adjust (string) KEYS[6..] counters (hash), one a line
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  id   ARGV[4]  event (JSON)
  ARGV[5]  lines   ARGV[6]  unit letters
  ARGV[7..] signed amounts, then envelopes, then ends of the labels in ms, one a line each
  Returns what `reply` makes of answer, balances and detail; answer is one of
    EXISTS | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    ADJUSTED   detail: amount (as far as committed went) and overrun (0) of each line
]]
-- include fence
-- include counters
-- include book

local stop = barred()
if stop then return reply(stop) end
if not open then return reply('LEDGER_LOST') end

local n = #KEYS - 5
if #ARGV ~= 6 + 3 * n or #ARGV[6] ~= n then return reply('INVALID_INPUT') end
local wanted = {}
for i = 1, n do
  local sign, text = string.match(ARGV[6 + i], '^(%-?)(%d+)$')
  local size = amount(text)
  if not size then return reply('INVALID_INPUT') end
  wanted[i] = sign == '-' and -size or size
end
if redis.call('EXISTS', KEYS[5]) == 1 then return reply('EXISTS') end
readCounters(6, 7 + n, n)

local applied = {}
for i = 1, n do
  local before = tonumber(committed[i]) or 0
  local adjusted = tonumber(redis.call('HGET', KEYS[5 + i], 'adjusted')) or 0
  applied[i] = math.max(wanted[i], -before)
  if applied[i] > AMOUNT_MAX - before or applied[i] > AMOUNT_MAX - adjusted
    or -applied[i] > AMOUNT_MAX + adjusted then
    return reply('INVALID_INPUT')
  end
end

move()
redis.call('SET', KEYS[5], digits(seq), 'PXAT', remembered())
local detail = {}
for i = 1, n do
  local key = KEYS[5 + i]
  if not committed[i] then begin(KEYS[4], key, string.sub(ARGV[6], i, i)) end
  detail[2 * i - 1], detail[2 * i] = digits(applied[i]), '0'
  committed[i] = redis.call('HINCRBY', key, 'committed', detail[2 * i - 1])
  redis.call('HINCRBY', key, 'adjusted', detail[2 * i - 1])
  rest(key, reserved[i], ARGV[6 + 2 * n + i])
end
local told = table.concat(detail, ' ')
redis.call('XADD', KEYS[3], '*', 'event', ARGV[4], 'lines', ARGV[5], 'booked', told,
  'seq', digits(seq), 'epoch', digits(epoch), 'at', digits(now))
return reply('ADJUSTED', told, balances(n))
