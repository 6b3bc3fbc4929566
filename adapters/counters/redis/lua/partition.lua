-- State of a partition: the next offset to apply, the generation of its counters (a reset begins a new one) and the run of the
-- server in which they were last confirmed. Empty when the partition is new, or the server was emptied.

local function partition_at(key)
  local fields = redis.call('HMGET', key, 'next', 'generation', 'run')
  return { next = tonumber(fields[1] or nil), generation = fields[2] or '0', run = fields[3] or nil }
end

local function begin_partition(key, run)
  redis.call('HSET', key, 'next', '0', 'generation', '0', 'run', run)
  return { next = 0, generation = '0', run = run }
end

-- An offset as text, as JSON and sums give numbers as doubles.
local function offset_text(offset)
  return string.format('%.0f', offset)
end

local function words_of(text)
  local words = {}
  for word in string.gmatch(text, '%S+') do
    words[#words + 1] = word
  end
  return words
end
