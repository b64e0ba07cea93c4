-- Reads the first jobs of delayed lists, one by one, because a job may be large.
--
-- KEYS  the lists
-- ARGV  the largest number of jobs,
--       the number of bytes after which no more jobs are read
-- returns for each list that was read its jobs, or the text of an error. The lists
--         behind them were not read.

local most, room = tonumber(ARGV[1]), tonumber(ARGV[2])

local function jobs(list)
  local length = redis.pcall('LLEN', list)
  if type(length) == 'table' then
    return length.err
  end
  local read = {}
  for i = 1, length do
    if most == 0 or room <= 0 then
      break
    end
    local job = redis.call('LINDEX', list, i - 1)
    read[i] = job
    most, room = most - 1, room - #job
  end
  return read
end

local lists = {}
for i, list in ipairs(KEYS) do
  if most == 0 or room <= 0 then
    break
  end
  lists[i] = jobs(list)
end
return lists
