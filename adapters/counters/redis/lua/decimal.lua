-- Exact integers of any length, as decimal strings ('-12'): Lua's numbers are doubles and lose digits beyond 2^53.

local LIMB_DIGITS = 7
local LIMB = 10000000
-- Sums of two numbers this long are exact as doubles.
local SHORT_DIGITS = 15

-- Arguments are digits without a sign from here on; `place` counts limbs from the right, 0 first.
local function limb_at(digits, place)
  local last = #digits - place * LIMB_DIGITS
  if last < 1 then return 0 end
  return tonumber(string.sub(digits, math.max(1, last - LIMB_DIGITS + 1), last))
end

local function limbs_in(digits)
  return math.ceil(#digits / LIMB_DIGITS)
end

-- `limbs` stand in reverse: the last limb first.
local function digits_of(limbs)
  local texts = {}
  for place = #limbs, 1, -1 do
    texts[#texts + 1] = string.format('%07d', limbs[place])
  end
  local digits = string.gsub(table.concat(texts), '^0+', '')
  if digits == '' then return '0' end
  return digits
end

local function compare_digits(a, b)
  if #a ~= #b then return #a < #b and -1 or 1 end
  for place = limbs_in(a) - 1, 0, -1 do
    local ofA, ofB = limb_at(a, place), limb_at(b, place)
    if ofA ~= ofB then return ofA < ofB and -1 or 1 end
  end
  return 0
end

local function add_digits(a, b)
  local limbs, carry = {}, 0
  for place = 0, math.max(limbs_in(a), limbs_in(b)) - 1 do
    local sum = limb_at(a, place) + limb_at(b, place) + carry
    carry = sum >= LIMB and 1 or 0
    limbs[#limbs + 1] = sum - carry * LIMB
  end
  limbs[#limbs + 1] = carry
  return digits_of(limbs)
end

-- a must not be less than b.
local function subtract_digits(a, b)
  local limbs, borrow = {}, 0
  for place = 0, limbs_in(a) - 1 do
    local rest = limb_at(a, place) - limb_at(b, place) - borrow
    borrow = rest < 0 and 1 or 0
    limbs[#limbs + 1] = rest + borrow * LIMB
  end
  return digits_of(limbs)
end

local function is_negative(a)
  return string.sub(a, 1, 1) == '-'
end

local function negate(a)
  if a == '0' then return a end
  if is_negative(a) then return string.sub(a, 2) end
  return '-' .. a
end

local function add(a, b)
  if #a <= SHORT_DIGITS and #b <= SHORT_DIGITS then return string.format('%.0f', tonumber(a) + tonumber(b)) end
  local isNegativeA, isNegativeB = is_negative(a), is_negative(b)
  if isNegativeA and isNegativeB then return negate(add_digits(negate(a), negate(b))) end
  if not isNegativeA and not isNegativeB then return add_digits(a, b) end
  if isNegativeA then a, b = b, a end
  local magnitude = negate(b)
  if compare_digits(a, magnitude) >= 0 then return subtract_digits(a, magnitude) end
  return negate(subtract_digits(magnitude, a))
end

local function subtract(a, b)
  return add(a, negate(b))
end

-- A number below, at or above zero, with the sign of a - b.
local function compare(a, b)
  local isNegativeA, isNegativeB = is_negative(a), is_negative(b)
  if isNegativeA ~= isNegativeB then return isNegativeA and -1 or 1 end
  if isNegativeA then return compare_digits(negate(b), negate(a)) end
  return compare_digits(a, b)
end

-- Rounded half away from zero. Digit by digit, which is exact while the divisor is below 2^53 / 10.
local function divide(dividend, divisor)
  local isNegative = is_negative(dividend)
  local digits = add(isNegative and negate(dividend) or dividend, string.format('%.0f', math.floor(divisor / 2)))
  local quotient, rest = {}, 0
  for place = 1, #digits do
    rest = rest * 10 + tonumber(string.sub(digits, place, place))
    local digit = math.floor(rest / divisor)
    rest = rest - digit * divisor
    quotient[place] = string.format('%d', digit)
  end
  local result = string.gsub(table.concat(quotient), '^0+', '')
  if result == '' then return '0' end
  return isNegative and negate(result) or result
end
