--[[ book: what endings share. Units are letters, in the order in which amounts come in ARGV.
  KEYS, ARGV  none of its own      Returns  nothing by itself
]]
local UNITS = { n = 0, t = 1, r = 2, c = 3 }
local ENDINGS = {
  finalized = 'finalized', released = 'released', reaped = 'reaped', voided = 'released',
}
local TOMBSTONE_MS = 7200000
local KEPT_MS = 172800000

-- The words of a text of amounts; nil if one of them is no amount.
local function amountsOf(text)
  local numbers = {}
  for word in string.gmatch(text or '', '%S+') do
    local number = amount(word)
    if not number then return nil end
    numbers[#numbers + 1] = number
  end
  return numbers
end

-- An amount a unit; none where nothing was told, nil where the text is not four amounts.
local function fourOf(text)
  local numbers = amountsOf(text or '0 0 0 0')
  if numbers and #numbers == 4 then return numbers end
  return nil
end

-- The other way round.
local function textOf(numbers)
  local texts = {}
  for i, number in ipairs(numbers) do texts[i] = digits(number) end
  return table.concat(texts, ' ')
end

-- Lets a counter that nothing holds any more expire, 48 h after its label's end and after now.
-- `endsBefore` is the end of the label in ms, '0' for a label without one.
local function rest(key, left, endsBefore)
  if tonumber(left or 0) ~= 0 or endsBefore == '0' then return end
  redis.call('PEXPIREAT', key, digits(math.max(tonumber(endsBefore), now) + KEPT_MS))
end

-- How it ended, for whoever asks for more; a refusal was never a hold.
local function endingOf(phase)
  return ENDINGS[phase] or 'unknown'
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
