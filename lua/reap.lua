#!lua flags=allow-oom
--[[ reap: end overdue reservations: one that was sent at the greater of its floor and the spend
  seen, one that was not at nothing. One mutation for all of them.
  KEYS[1]  state (hash)     KEYS[2]  leases (zset)
  KEYS[3]  outbox (stream)  KEYS[4]  labels (set)
  KEYS[5..4+m] reservations (hash)   KEYS[5+m..] all their counters (hash), each once
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  m
  ARGV[4..] ends of the labels in ms, one a counter; then for each reservation its id and,
            as text, the numbers of its counters in its lines' order
  Returns what `reply` makes of answer, balances and detail; answer is one of
    INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    SWEPT    detail: for each id {GONE}, {NOT_DUE}, or
             {REAPED, reclaimed by unit as text, amount and overrun of each line as text, stub};
             the last two are '' where nothing was booked. NOT_DUE also where its lines are not
             those of its keys, or its record cannot be read.
]]
-- include fence
-- include book

local stop = barred()
if stop then return reply(stop) end
if not open then return reply('LEDGER_LOST') end

local m = amount(ARGV[3])
local count = m and #KEYS - 4 - m
if not m or count < 0 or #ARGV ~= 3 + count + 2 * m then return reply('INVALID_INPUT') end

local counters = {}
for i = 1, count do
  local counter = redis.call('HMGET', KEYS[4 + m + i], 'committed', 'reserved', 'overrun')
  counters[i] = {
    left = tonumber(counter[2]) or 0, committed = tonumber(counter[1]) or 0,
    overrun = tonumber(counter[3]) or 0, back = 0, booked = 0, over = 0,
  }
end

local results, reaps, orphans, seenIds = {}, {}, {}, {}
for r = 1, m do
  local id = ARGV[3 + count + 2 * r - 1]
  local hold = redis.call('HMGET', KEYS[4 + r], 'state', 'units', 'held', 'floor', 'seen',
    'lines', 'stub')
  local lease = tonumber(redis.call('ZSCORE', KEYS[2], id))
  local places = amountsOf(ARGV[3 + count + 2 * r])
  local isOpen = (hold[1] == 'held' or hold[1] == 'sent') and not seenIds[id]
  local helds = amountsOf(hold[3])
  local floor, seen = fourOf(hold[4]), fourOf(hold[5])
  if not isOpen then
    results[r] = { 'GONE' }
    orphans[#orphans + 1] = id
  elseif (lease and lease > now) or not places or not helds
    or not hold[2] or not hold[6] or not hold[7] or not floor or not seen
    or #places ~= #helds or #helds ~= #hold[2] then
    results[r] = { 'NOT_DUE' }
  else
    seenIds[id] = true
    local isSent = hold[1] == 'sent'
    local charged, booked, reclaimed = { 0, 0, 0, 0 }, {}, { 0, 0, 0, 0 }
    if isSent then
      -- Concurrency, the last unit, is given back and not used up.
      for unit = 1, 3 do charged[unit] = math.max(floor[unit], seen[unit]) end
    end
    for i, place in ipairs(places) do
      local counter, letter = counters[place], string.sub(hold[2], i, i)
      local unit = 1 + UNITS[letter]
      local charge = math.min(charged[unit], AMOUNT_MAX - counter.committed,
        AMOUNT_MAX - counter.overrun)
      local over = math.max(charge - helds[i], 0)
      -- A counter that somebody damaged must not stop the reaper: it gives back what is there.
      local back = math.min(helds[i], counter.left)
      counter.left, counter.back = counter.left - back, counter.back + back
      counter.committed, counter.booked = counter.committed + charge, counter.booked + charge
      counter.overrun, counter.over = counter.overrun + over, counter.over + over
      counter.letter = letter
      reclaimed[unit] = math.max(reclaimed[unit], helds[i] - charge)
      booked[2 * i - 1], booked[2 * i] = charge, over
    end
    results[r] = { 'REAPED', textOf(reclaimed), '', '' }
    if isSent then results[r][3], results[r][4] = textOf(booked), hold[7] end
    reaps[#reaps + 1] = { key = KEYS[4 + r], id = id, isSent = isSent, lines = hold[6],
      stub = hold[7], charged = textOf(charged), booked = textOf(booked) }
  end
end
-- A lease without a reservation would be listed as overdue for ever.
if #orphans > 0 then redis.call('ZREM', KEYS[2], unpack(orphans)) end
if #reaps == 0 then return reply('SWEPT', results) end

move()
for i = 1, count do
  local counter, key = counters[i], KEYS[4 + m + i]
  if counter.letter then
    begin(KEYS[4], key, counter.letter)
    redis.call('HINCRBY', key, 'reserved', digits(-counter.back))
    redis.call('HINCRBY', key, 'committed', digits(counter.booked))
    if counter.over > 0 then redis.call('HINCRBY', key, 'overrun', digits(counter.over)) end
    rest(key, counter.left, ARGV[3 + i])
  end
end
for _, reap in ipairs(reaps) do
  local key = reap.key
  redis.call('HSET', key, 'state', 'reaped', 'charged', reap.charged)
  redis.call('HDEL', key, 'held', 'limits', 'floor', 'seen', 'owner', 'stub')
  redis.call('PEXPIREAT', key, remembered())
  redis.call('ZREM', KEYS[2], reap.id)
  if reap.isSent then
    redis.call('XADD', KEYS[3], '*', 'id', reap.id, 'kind', 'base', 'stub', reap.stub,
      'lines', reap.lines, 'booked', reap.booked,
      'seq', digits(seq), 'epoch', digits(epoch), 'at', digits(now))
  end
end
return reply('SWEPT', results)
