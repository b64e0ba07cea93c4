-- Reads the first jobs of delayed lists, a few at a time, because a job may be large.
--
-- KEYS  the lists
-- ARGV  the largest number of jobs,
--       the number of bytes after which no more jobs are read
-- returns for each list that was read its jobs, or the text of an error. The lists
--         behind them were not read.

local most, room = tonumber(ARGV[1]), tonumber(ARGV[2])

-- A step reads up to 16 jobs. If one of them were as large as the largest before, they
-- would have at most 256 KB.
local step_jobs, step_bytes = 16, 262144

-- more_jobs reads the jobs of a list behind the first ones, which are in read.
local function more_jobs(list, read, largest)
  while most > 0 and room > 0 do
    local step = math.max(1, math.min(step_jobs, math.floor(step_bytes / largest)))
    local some = redis.pcall('LRANGE', list, #read, #read + step - 1)
    for _, job in ipairs(some) do
      read[#read + 1] = job
      most, room = most - 1, room - #job
      largest = math.max(largest, #job)
      if most == 0 or room <= 0 then
        return
      end
    end
    if #some < step then
      return
    end
  end
end

-- Most lists have one job. Numbers are passed to that command as strings, because Redis
-- formats a number slowly.
local lists = {}
for i, list in ipairs(KEYS) do
  if most == 0 or room <= 0 then
    break
  end
  local read = redis.pcall('LRANGE', list, '0', '1')
  lists[i] = read.err or read
  local first, second = read[1], read[2]
  if second and (most == 1 or #first >= room) then
    read[2], second = nil, nil
  end
  if first then
    most, room = most - 1, room - #first
  end
  if second then
    most, room = most - 1, room - #second
    more_jobs(list, read, math.max(#first, #second, 1))
  end
end
return lists
