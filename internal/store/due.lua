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

-- jobs reads the first jobs of a list. Most lists have one, which takes one step.
local function jobs(list)
  local read, step, largest = {}, 2, 1
  while true do
    local some = redis.pcall('LRANGE', list, #read, #read + step - 1)
    if some.err then
      return some.err
    end
    for _, job in ipairs(some) do
      read[#read + 1] = job
      most, room = most - 1, room - #job
      largest = math.max(largest, #job)
      if most == 0 or room <= 0 then
        return read
      end
    end
    if #some < step then
      return read
    end
    step = math.max(1, math.min(step_jobs, math.floor(step_bytes / largest)))
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
