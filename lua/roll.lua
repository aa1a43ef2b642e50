#!lua flags=allow-oom
--[[ roll: notes that the caller lives, or forgets it when it goes. Who has not been heard of for
  long is forgotten, too: only a gateway itself would miss the seq of its last mutation.
  KEYS[1]  state (hash)   KEYS[2]  roll (zset, by the ms when each was last heard of)
  ARGV[1]  epoch   ARGV[2]  fence   ARGV[3]  here | gone
  ARGV[4]  for so many ms one is kept that nobody hears of
  Returns what `reply` makes of answer, balances and detail; answer is one of
    DONE | INVALID_INPUT | LEDGER_LOST | STALE_EPOCH
]]
-- include fence

local stop = barred()
if stop then return reply(stop) end
local keptMs = amount(ARGV[4])
if not keptMs then return reply('INVALID_INPUT') end
if ARGV[3] == 'gone' then
  redis.call('HDEL', KEYS[1], caller)
  redis.call('ZREM', KEYS[2], caller)
  return reply('DONE')
end
redis.call('ZADD', KEYS[2], now, caller)
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.match(name, '^g') then
    local heard = redis.call('ZSCORE', KEYS[2], name)
    -- One that has not told yet may live: its time begins now.
    if not heard then
      redis.call('ZADD', KEYS[2], now, name)
    elseif tonumber(heard) < now - keptMs then
      redis.call('HDEL', KEYS[1], name)
    end
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. digits(now - keptMs))
return reply('DONE')
