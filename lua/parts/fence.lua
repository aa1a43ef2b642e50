--[[ fence: who may go on; begins every verb. TIME is read once, because it moves inside a script.
  KEYS[1]  state (hash)
  ARGV[1]  the caller's epoch
  ARGV[2]  the highest seq it has seen, that of the last mutation of its own, and its name (g...)
  Returns  nothing by itself; `reply` makes every answer
]]
local AMOUNT_MAX = 9007199254740991

-- The number of a text that is an amount; nil for 'nan', 'inf', '0x10', '1e3', ' 12 ' and '007',
-- which tonumber takes: nan passes every comparison, and HINCRBY stops at the others half-way.
local function amount(text)
  if text == '0' then return 0 end
  if not text or not string.find(text, '^[1-9]%d*$') then return nil end
  local number = tonumber(text)
  if number > AMOUNT_MAX then return nil end
  return number
end

-- The digits of a whole number: the default format keeps 14 of them and lies from 10^14 on. As an
-- integer it is written fastest and a negative zero is plain: HINCRBY stops half-way at '-0'.
local function digits(number)
  return string.format('%d', number)
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local seen, own, caller = string.match(ARGV[2] or '', '^(%d+) (%d+) (g%w+)$')
local state = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'open', caller or '')
local epoch = tonumber(state[1]) or 0
local seq = tonumber(state[2]) or 0
local open = state[3] == '1'
local last = tonumber(state[4]) or 0

-- One text, because that is made and read faster than a list: answer, seq, epoch, now and last, each
-- with a space behind it, the balances parted by spaces, a line end, and the detail as it is. None
-- but the detail has a space or a line end in it. A detail that is a list goes beside the text.
local function reply(answer, detail, balances)
  local words = string.format('%s %d %d %d %d ', answer, seq, epoch, now, last)
  local counts = table.concat(balances or {}, ' ')
  if type(detail) == 'table' then return { table.concat({ words, counts }), detail } end
  return table.concat({ words, counts, '\n', detail or '' })
end

-- One mutation more, and the caller's last one. Others may have passed the seq that a lost mutation
-- had, but nobody else moves this.
local function move()
  seq, last = seq + 1, seq + 1
  local text = digits(seq)
  redis.call('HSET', KEYS[1], 'seq', text, caller, text)
end

-- The answer that stops the verb, or nil. A ledger without an epoch, behind the caller's epoch or
-- behind what it has seen or done has lost writes; a caller behind the ledger's epoch has been
-- fenced off.
local function barred()
  local asked, heard, done = amount(ARGV[1]), amount(seen), amount(own)
  if not asked or not heard or not done then return 'INVALID_INPUT' end
  if asked < epoch then return 'STALE_EPOCH' end
  if not state[1] or asked > epoch or seq < heard or last < done then return 'LEDGER_LOST' end
  return nil
end
