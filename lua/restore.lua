#!lua flags=allow-oom
--[[ restore: put back the counters of one label, or one hold, while admission is closed. Asks for
  no room and makes no event.
  KEYS[1]  state (hash)    KEYS[2]  limits (hash)   KEYS[3]  leases (zset)
  KEYS[4]  labels (set)    KEYS[5]  reservation (hash); the counter where counters are put back
  KEYS[6..] counters (hash), one a line, in the lines' order
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  hold | counters
  hold:     ARGV[4] id   ARGV[5] owner   ARGV[6] phase   ARGV[7] lease's end in ms
            ARGV[8] stub   ARGV[9] lines   ARGV[10] unit letters   ARGV[11..14] floor
            ARGV[15..18] seen   ARGV[19..] amounts held, limits as version:limit:mode, envelopes
  counters: ARGV[4] committed   ARGV[5] overrun   ARGV[6] adjusted (signed)   ARGV[7] unit letter
            ARGV[8] end of the label in ms   ARGV[9] envelope
  Returns what `reply` makes of answer, balances and detail; answer is one of
    RESTORED | EXISTS | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
]]
-- include fence
-- include counters
-- include book

-- While admission is closed a lost ledger is being rebuilt, so what it lost is no obstacle.
local stop = barred()
if stop == 'LEDGER_LOST' and state[3] == '0' then stop = nil end
if stop then return reply(stop) end
if state[3] == 'clearing' then return reply('LEDGER_LOST') end
if open then return reply('INVALID_INPUT') end

if ARGV[3] == 'counters' then
  if #KEYS ~= 5 or #ARGV ~= 9 then return reply('INVALID_INPUT') end
  local size = string.match(ARGV[6], '^%-?(%d+)$')
  if not amount(ARGV[4]) or not amount(ARGV[5]) or not amount(size) then
    return reply('INVALID_INPUT')
  end
  readCounters(5, 9, 1)
  if committed[1] then return reply('EXISTS', '', balances(1)) end
  move()
  begin(KEYS[4], KEYS[5], ARGV[7])
  committed[1], overrun[1] = ARGV[4], ARGV[5]
  redis.call('HSET', KEYS[5], 'committed', ARGV[4], 'overrun', ARGV[5],
    'adjusted', digits(tonumber(ARGV[6])))
  rest(KEYS[5], reserved[1], ARGV[8])
  return reply('RESTORED', '', balances(1))
end

local n = #KEYS - 5
if #ARGV ~= 18 + 3 * n or #ARGV[10] ~= n or not amount(ARGV[7]) then
  return reply('INVALID_INPUT')
end
for i = 11, 18 + n do
  if not amount(ARGV[i]) then return reply('INVALID_INPUT') end
end
for i = 1, n do
  if not readLimit(ARGV[18 + n + i]) then return reply('INVALID_INPUT') end
end
if redis.call('EXISTS', KEYS[5]) == 1 then return reply('EXISTS') end
readCounters(6, 19 + 2 * n, n)
local newer = {}
for i = 1, n do
  if amount(ARGV[18 + i]) > AMOUNT_MAX - (tonumber(reserved[i]) or 0) then
    return reply('INVALID_INPUT')
  end
  local kept, version = readLimit(limits[i]), readLimit(ARGV[18 + n + i])
  if not kept or version > kept then
    limits[i] = ARGV[18 + n + i]
    newer[#newer + 1], newer[#newer + 2] = ARGV[18 + 2 * n + i], limits[i]
  end
end

move()
if next(newer) then redis.call('HSET', KEYS[2], unpack(newer)) end
for i = 1, n do
  local key = KEYS[5 + i]
  if not reserved[i] then begin(KEYS[4], key, string.sub(ARGV[10], i, i)) end
  reserved[i] = redis.call('HINCRBY', key, 'reserved', ARGV[18 + i])
  redis.call('PERSIST', key)
end
redis.call('HSET', KEYS[5], 'state', ARGV[6], 'lines', ARGV[9], 'units', ARGV[10],
  'held', table.concat(ARGV, ' ', 19, 18 + n),
  'limits', table.concat(ARGV, ' ', 19 + n, 18 + 2 * n),
  'floor', table.concat(ARGV, ' ', 11, 14), 'seen', table.concat(ARGV, ' ', 15, 18),
  'owner', ARGV[5], 'stub', ARGV[8])
redis.call('ZADD', KEYS[3], ARGV[7], ARGV[4])
return reply('RESTORED', '', balances(n))
