#!lua
--[[ reserve: hold an amount on every line, or on none.
  KEYS[1]  state (hash)             KEYS[2]  limits (hash)
  KEYS[3]  leases (zset)            KEYS[4]  labels (set)
  KEYS[5]  reservation (hash)       KEYS[6..] counters (hash), one a line, in the lines' order
  ARGV[1]  epoch     ARGV[2]  fence        ARGV[3]  id        ARGV[4]  owner
  ARGV[5]  lease ms  ARGV[6]  stub         ARGV[7]  lines     ARGV[8]  unit letters
  ARGV[9..] amounts, then limits as version:limit:mode, then envelopes, one a line each
  Returns what `reply` makes of answer, balances and detail; answer is one of
    RESERVED | ALREADY_RESERVED | CONFLICT | VOIDED | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    BUDGET_EXCEEDED   detail: line limit committed reserved of every line without room
]]
-- include fence
-- include counters
-- include room
local REFUSAL_MS = 300000

local stop = barred()
if stop then return reply(stop) end
if not open then return reply('LEDGER_LOST') end

local n = #KEYS - 5
local leaseMs = amount(ARGV[5])
if not leaseMs or #ARGV ~= 8 + 3 * n or #ARGV[8] ~= n then return reply('INVALID_INPUT') end
local amounts, told = {}, {}
for i = 1, n do
  amounts[i] = amount(ARGV[8 + i])
  local text = ARGV[8 + n + i]
  local version, limit, mode = readLimit(text)
  if not amounts[i] or not version then return reply('INVALID_INPUT') end
  told[i] = { version = version, limit = limit, mode = mode, text = text }
end

local phase, lines, lacks = unpack(redis.call('HMGET', KEYS[5], 'state', 'lines', 'shortages'))
readCounters(6, 9 + 2 * n, n)

local newer, shortages, isPast = {}, {}, false
for i = 1, n do
  local limit, mode = told[i].limit, told[i].mode
  if limits[i] ~= told[i].text then
    local version, keptLimit, keptMode = readLimit(limits[i])
    if version and version >= told[i].version then
      limit, mode = keptLimit, keptMode
    else
      limits[i] = told[i].text
      newer[#newer + 1], newer[#newer + 2] = ARGV[8 + 2 * n + i], limits[i]
    end
  end
  -- A limit of 0 refuses also what costs nothing: it is how an operator says stop.
  if mode == 'b' and limit and (limit == 0 or isShort(i, amounts[i], limit)) then
    shortages[#shortages + 1] = shortage(i, limit)
  elseif isPastCap(reserved[i], amounts[i]) then
    isPast = true
  end
end

if phase == 'voided' then return reply('VOIDED') end
if phase and lines ~= ARGV[7] then return reply('CONFLICT') end
if phase == 'refused' then return reply('BUDGET_EXCEEDED', lacks, balances(n)) end
if phase then return reply('ALREADY_RESERVED', '', balances(n)) end
if isPast then return reply('INVALID_INPUT') end

if next(newer) then redis.call('HSET', KEYS[2], unpack(newer)) end
move()
if #shortages > 0 then
  local detail = table.concat(shortages, ' ')
  redis.call('HSET', KEYS[5], 'state', 'refused', 'lines', ARGV[7], 'shortages', detail)
  redis.call('PEXPIREAT', KEYS[5], digits(now + REFUSAL_MS))
  return reply('BUDGET_EXCEEDED', detail, balances(n))
end
for i = 1, n do
  local before = reserved[i]
  reserved[i] = redis.call('HINCRBY', KEYS[5 + i], 'reserved', ARGV[8 + i])
  if not before then
    redis.call('HSET', KEYS[5 + i], 'unit', string.sub(ARGV[8], i, i))
    redis.call('SADD', KEYS[4], KEYS[5 + i])
  end
  -- A counter at rest has a clock; what holds something again must not expire.
  if not before or before == '0' then redis.call('PERSIST', KEYS[5 + i]) end
end
redis.call('HSET', KEYS[5], 'state', 'held', 'lines', ARGV[7], 'units', ARGV[8],
  'held', table.concat(ARGV, ' ', 9, 8 + n),
  'limits', table.concat(ARGV, ' ', 9 + n, 8 + 2 * n),
  'owner', ARGV[4], 'stub', ARGV[6])
redis.call('ZADD', KEYS[3], digits(now + leaseMs), ARGV[3])
return reply('RESERVED', '', balances(n))
