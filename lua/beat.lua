#!lua flags=allow-oom
--[[ beat: renew the leases of one owner's reservations, tell which were sent, raise the spend seen.
  KEYS[1]  state (hash)   KEYS[2]  leases (zset)   KEYS[3..] reservations (hash), one a beat
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  lease ms
  ARGV[4..] for each beat: id, spend seen, floor: either is an amount a unit (n t r c), or '' where
            nothing is told of it. A floor tells that the reservation was sent.
  Returns what `reply` makes of answer, balances and detail; answer is one of
    INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    BEATEN   detail: for each beat its ending, '' where it was renewed
]]
-- include fence
-- include book

-- The four amounts of an argument, false where nothing is told, nil where it is none.
local function toldOf(text)
  if text == '' then return false end
  local told = { string.match(text, '^(%d+) (%d+) (%d+) (%d+)$') }
  for unit = 1, 4 do
    told[unit] = amount(told[unit])
    if not told[unit] then return nil end
  end
  return told
end

-- The higher of what is kept and what is told, unit by unit, and whether that is more than was kept.
-- What cannot be read is begun anew.
local function raised(kept, told)
  local amounts, rises = fourOf(kept) or { 0, 0, 0, 0 }, false
  for unit = 1, 4 do
    if told[unit] > amounts[unit] then
      amounts[unit] = told[unit]
      rises = true
    end
  end
  return textOf(amounts), rises
end

local stop = barred()
if stop then return reply(stop) end
if not open then return reply('LEDGER_LOST') end

local n = #KEYS - 2
local leaseMs = amount(ARGV[3])
if not leaseMs or #ARGV ~= 3 + 3 * n then return reply('INVALID_INPUT') end
local seens, floors, holds, known, renews = {}, {}, {}, {}, false
for i = 1, n do
  seens[i], floors[i] = toldOf(ARGV[3 * i + 2]), toldOf(ARGV[3 * i + 3])
  if seens[i] == nil or floors[i] == nil then return reply('INVALID_INPUT') end
  -- An id that is told twice is raised from what was told of it before.
  local key = KEYS[2 + i]
  holds[i] = known[key] or redis.call('HMGET', key, 'state', 'seen', 'floor')
  known[key] = holds[i]
  if holds[i][1] == 'held' or holds[i][1] == 'sent' then renews = true end
end

local endings, leases, ends = {}, {}, digits(now + leaseMs)
if renews then move() end
for i = 1, n do
  local key, hold = KEYS[2 + i], holds[i]
  if hold[1] == 'held' or hold[1] == 'sent' then
    if seens[i] then
      local seen, rises = raised(hold[2], seens[i])
      if rises then
        hold[2] = seen
        redis.call('HSET', key, 'seen', seen)
      end
    end
    if floors[i] then
      hold[3] = raised(hold[3], floors[i])
      redis.call('HSET', key, 'state', 'sent', 'floor', hold[3])
    end
    leases[#leases + 1] = ends
    leases[#leases + 1] = ARGV[3 * i + 1]
    endings[i] = ''
  else
    endings[i] = endingOf(hold[1])
  end
end
if renews then redis.call('ZADD', KEYS[2], unpack(leases)) end
return reply('BEATEN', endings)
