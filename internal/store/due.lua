-- Reads the first jobs of delayed lists, one by one, because a job may be large.
--
-- KEYS  the lists
-- ARGV  the largest number of jobs,
--       the number of bytes after which no more jobs are read
-- returns for each list that was read its jobs, or the text of an error. The lists
--         behind them were not read.

local most, room = tonumber(ARGV[1]), tonumber(ARGV[2])

-- jobs reads the first jobs of a list. Most lists have one, which takes one call.
local function jobs(list)
  local read = redis.pcall('LRANGE', list, 0, 1)
  if read.err then
    return read.err
  end
  for i = 1, math.huge do
    if i > 2 then
      read[i] = redis.call('LINDEX', list, i - 1) or nil
    end
    if not read[i] then
      return read
    end
    most, room = most - 1, room - #read[i]
    if most == 0 or room <= 0 then
      read[i + 1] = nil
      return read
    end
  end
end

local lists = {}
for i, list in ipairs(KEYS) do
  if most == 0 or room <= 0 then
    break
  end
  lists[i] = jobs(list)
end
return lists
