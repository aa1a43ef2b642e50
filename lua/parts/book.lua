--[[ book: what endings share. Units are letters, in the order in which amounts come in ARGV.
  KEYS, ARGV  none of its own      Returns  nothing by itself
]]
local UNITS = { n = 0, t = 1, r = 2, c = 3 }
local TOMBSTONE_MS = 7200000
local KEPT_MS = 172800000

-- The words of a text of amounts, as texts and as numbers; nil if one of them is no amount.
local function amountsOf(text)
  local texts, numbers = {}, {}
  for word in string.gmatch(text or '', '%S+') do
    local number = amount(word)
    if not number then return nil end
    texts[#texts + 1], numbers[#numbers + 1] = word, number
  end
  return texts, numbers
end

-- Lets a counter that nothing holds any more expire, 48 h after its label's end and after now.
-- `endsBefore` is the end of the label in ms, '0' for a label without one.
local function rest(key, left, endsBefore)
  if tonumber(left or 0) ~= 0 or endsBefore == '0' then return end
  redis.call('PEXPIREAT', key, digits(math.max(tonumber(endsBefore), now) + KEPT_MS))
end

-- Until when an ending is remembered.
local function remembered()
  return digits(now + TOMBSTONE_MS)
end

-- Makes a counter known that a booking is about to create.
local function begin(labels, key, unit)
  redis.call('HSET', key, 'unit', unit)
  redis.call('SADD', labels, key)
end
