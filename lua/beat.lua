#!lua flags=allow-oom
--[[ beat: renew the leases of one owner's reservations and raise the spend seen of each.
  KEYS[1]  state (hash)   KEYS[2]  leases (zset)   KEYS[3..] reservations (hash), one a beat
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  lease ms
  ARGV[4..] for each beat: id, then the spend seen by unit (n t r c)
  Returns {answer, seq, epoch, now, detail, balances, last}; answer is one of
    INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    BEATEN   detail: for each beat its ending, '' where it was renewed
]]
-- include fence
-- include book

local stop = barred()
if stop then return reply(stop) end
if not open then return reply('LEDGER_LOST') end

local n = #KEYS - 2
local leaseMs = amount(ARGV[3])
if not leaseMs or #ARGV ~= 3 + 5 * n then return reply('INVALID_INPUT') end
local holds, renews = {}, false
for i = 1, n do
  for at = 5 * i, 5 * i + 3 do
    if not amount(ARGV[at]) then return reply('INVALID_INPUT') end
  end
  holds[i] = redis.call('HMGET', KEYS[2 + i], 'state', 'seen')
  if holds[i][1] == 'held' or holds[i][1] == 'sent' then renews = true end
end

local endings, latest = {}, {}
if renews then move() end
for i = 1, n do
  local phase, seen = holds[i][1], holds[i][2]
  if phase == 'held' or phase == 'sent' then
    -- An id that is told twice is raised from what was told of it before.
    local spends = fourOf(latest[KEYS[2 + i]] or seen) or { 0, 0, 0, 0 }
    local told = false
    for unit = 1, 4 do
      local spend = amount(ARGV[5 * i + unit - 1])
      if spend > spends[unit] then
        spends[unit] = spend
        told = true
      end
    end
    if told then
      latest[KEYS[2 + i]] = textOf(spends)
      redis.call('HSET', KEYS[2 + i], 'seen', latest[KEYS[2 + i]])
    end
    redis.call('ZADD', KEYS[2], now + leaseMs, ARGV[5 * i - 1])
    endings[i] = ''
  else
    endings[i] = endingOf(phase)
  end
end
return reply('BEATEN', endings)
