--[[ counters: the counters and limits that a verb touches.
  KEYS[2]  limits (hash); the counters where the verb says
  ARGV     envelopes where the verb says
  Returns  nothing by itself
]]
local committed, reserved, overrun, limits = {}, {}, {}, {}

-- Reads `n` counters from KEYS[first] and the limits of their envelopes from ARGV[named].
-- A field that was never written is false, not nil.
local function readCounters(first, named, n)
  for i = 1, n do
    local counter = redis.call('HMGET', KEYS[first + i - 1], 'committed', 'reserved', 'overrun')
    committed[i], reserved[i], overrun[i] = counter[1], counter[2], counter[3]
  end
  if n > 0 then limits = redis.call('HMGET', KEYS[2], unpack(ARGV, named, named + n - 1)) end
end

-- A counter as text: what HINCRBY answered is a number, and decoders of integer replies round
-- those within 48 of 2^53.
local function text(counter)
  if type(counter) == 'number' then return digits(counter) end
  return counter or '0'
end

-- Flat: committed, reserved, overrun, limit of each counter, all as texts without a space: amounts
-- move by HINCRBY, limits are matched before they are kept.
local function balances(n)
  local list = {}
  for i = 1, n do
    local at = #list
    list[at + 1], list[at + 2] = text(committed[i]), text(reserved[i])
    list[at + 3], list[at + 4] = text(overrun[i]), limits[i] or ''
  end
  return list
end

-- 'version:limit:mode', where no limit is an empty one and mode is b(lock) or w(arn).
local function readLimit(text)
  local version, limit, mode = string.match(text or '', '^(%d+):(%d*):([bw])$')
  version = amount(version)
  if not version then return nil end
  if limit == '' then return version, nil, mode end
  limit = amount(limit)
  if not limit then return nil end
  return version, limit, mode
end
