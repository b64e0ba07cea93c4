-- Adds what a process has measured to the metrics of a minute, an hour and a day, and
-- keeps the first counters of each minute, ten minutes, hour and day.
--
-- KEYS: the three hashes of classes, for the minute, the hour and the day; stat:processed
-- and stat:failed; the hash of the counters of the day and that of the month
-- ARGV: the expiry in ms of each of the five hashes; the fields of the counters: of the
-- minute and the ten minutes, of the hour and the day; the time in Unix seconds; the
-- largest number of classes in a hash; the name for the classes beyond it; then for each
-- class its name and what was measured
-- returns nothing
--
-- What was measured of a class is a text: the number of jobs, of the failed ones among
-- them, the sum of their durations in ms, and BUCKET:JOBS for each bucket of durations
-- with jobs. Buckets are those of ClassMetrics in metrics.go.

local most, other = tonumber(ARGV[11]), ARGV[12]

-- parsed adds a text to sums, which has the three numbers and then the buckets. A text that
-- another program has damaged counts as far as it can be read.
local function parsed(text, sums)
  local at = 0
  for number, jobs in text:sub(1, 1024):gmatch('(%d+):?(%d*)') do
    local bucket = tonumber(number)
    if jobs == '' then
      at = at + 1
      if at <= 3 then
        sums[at] = sums[at] + bucket
      end
    elseif bucket <= 25 then
      sums[bucket + 4] = sums[bucket + 4] + tonumber(jobs)
    end
  end
  return sums
end

local function zeros()
  return {0,0,0, 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}
end

-- merged returns the sum of parsed sums and a text.
local function merged(new, old)
  local sums = parsed(old, zeros())
  local text = (sums[1] + new[1]) .. ' ' .. (sums[2] + new[2]) .. ' ' .. (sums[3] + new[3])
  for i = 4, 29 do
    local jobs = sums[i] + new[i]
    if jobs > 0 then
      text = text .. ' ' .. (i - 4) .. ':' .. jobs
    end
  end
  return text
end

local new = {}
for at = 13, #ARGV, 2 do
  new[at] = parsed(ARGV[at + 1], zeros())
end

for i = 1, 3 do
  local size = redis.pcall('HLEN', KEYS[i])
  if type(size) == 'number' and #ARGV > 12 then -- otherwise the key has another type
    for at = 13, #ARGV, 2 do
      local class = ARGV[at]
      local old = redis.call('HGET', KEYS[i], class)
      if not old and size >= most then
        class = other
        old = redis.call('HGET', KEYS[i], class)
      end
      if not old then
        size = size + 1
      end
      redis.call('HSET', KEYS[i], class, merged(new[at], old or ''))
    end
    redis.call('PEXPIRE', KEYS[i], ARGV[i])
  end
end

local counted = {}
for i = 4, 5 do
  local n = redis.pcall('GET', KEYS[i])
  counted[i] = type(n) == 'string' and n:match('^%d+$') or '0'
end
local counters = ARGV[10] .. ' ' .. counted[4] .. ' ' .. counted[5]
for i = 6, 9 do
  local hash = KEYS[i < 8 and 6 or 7]
  if redis.pcall('HSETNX', hash, ARGV[i], counters) == 1 then
    redis.call('PEXPIRE', hash, ARGV[i < 8 and 4 or 5])
  end
end
