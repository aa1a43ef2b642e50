#!lua flags=allow-oom
--[[ set_limit: keep the newer of the limits told and the limits known.
  KEYS[1]  state (hash)   KEYS[2]  limits (hash)
  ARGV[1]  epoch   ARGV[2]  fence
  ARGV[3..] envelopes, then limits as version:limit:mode, one each
  Returns what `reply` makes of answer, balances and detail; answer is one of
    INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
    SET      detail: the numbers of those whose version is stale
]]
-- include fence
-- include counters

local stop = barred()
if stop then return reply(stop) end

local n = (#ARGV - 2) / 2
local newer, stale = {}, {}
local latest = {}
for i = 1, n do
  local envelope, version = ARGV[2 + i], readLimit(ARGV[2 + n + i])
  if not version then return reply('INVALID_INPUT') end
  -- An envelope that is told twice is judged by what was told of it before.
  local kept = latest[envelope] or readLimit(redis.call('HGET', KEYS[2], envelope))
  if kept and version < kept then stale[#stale + 1] = i end
  if not kept or version > kept then
    newer[#newer + 1], newer[#newer + 2] = envelope, ARGV[2 + n + i]
    latest[envelope] = version
  end
end

if next(newer) then
  move()
  redis.call('HSET', KEYS[2], unpack(newer))
end
return reply('SET', stale)
