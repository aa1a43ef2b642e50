--[[ room: whether counter `i` has room for `more`. Subtracts from the bound, because a sum may pass
  2^53, where numbers are no longer whole.
  KEYS, ARGV  none of its own      Returns  nothing by itself
]]
local function isPastCap(counter, more)
  return more > AMOUNT_MAX - (tonumber(counter) or 0)
end

local function isShort(i, more, limit)
  return more > limit - (tonumber(committed[i]) or 0) - (tonumber(reserved[i]) or 0)
end

-- One shortage as text: which line, its limit, committed and reserved.
local function shortage(i, limit)
  return table.concat({ digits(i), digits(limit), committed[i] or '0', reserved[i] or '0' }, ' ')
end
