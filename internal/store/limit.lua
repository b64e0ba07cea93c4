-- Part of the scripts that apply limits. A limit is a JSON object:
--
--   concurrency  how many jobs may run at once
--   rate, per    how many jobs may start in how many milliseconds
--   burst        how many of them may start at once after a pause, 1 if it is missing
--
-- concurrency or rate is 0, or missing, if there is no such limit. A limit is damaged if a
-- member is not an integer.
--
-- The jobs that run are in the hash held, which has a guard for each worker id. A job is
-- in it as long as the record of its worker begins with the guard. The string rate has
-- the time in microseconds up to which starts are used up: each start adds the interval
-- between two starts, and it may be up to burst intervals after now. This is the generic
-- cell rate algorithm.

-- clock returns Redis's time in microseconds.
local function clock()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end

-- parse_limit returns the limit in a text, or nil if it is damaged. held and rate are the
-- keys of its state.
local function parse_limit(text, held, rate)
  local ok, given = pcall(cjson.decode, text)
  if not ok or type(given) ~= 'table' then
    return nil
  end
  for _, name in ipairs({'concurrency', 'rate', 'per', 'burst'}) do
    local number = given[name]
    if number == nil or number == cjson.null then
      given[name] = 0
    elseif type(number) ~= 'number' or number % 1 ~= 0 then
      return nil
    end
  end
  local limit = {held = held, rate = rate, concurrency = given.concurrency, interval = 0}
  if given.rate > 0 and given.per > 0 then
    limit.interval, limit.burst = given.per * 1000 / given.rate, math.max(given.burst, 1)
  end
  return limit
end

-- used returns for how many microseconds after now starts are used up. A later time is
-- of a limit that has changed, or from before Redis's clock was set back.
local function used(limit, saved, now)
  return math.min(math.max((tonumber(saved) or 0) - now, 0), limit.burst * limit.interval)
end

-- look_at sets free, the number of jobs that may start now, and started, which collects
-- the worker ids and the guards of those that start. If free is 0, it sets wait: after
-- that many microseconds the rate allows the next job, or -1 if one must end first. It
-- returns the text of an error: then the part of the limit that cannot be read is not
-- applied.
local function look_at(limit)
  local fault
  limit.free, limit.started, limit.wait = math.huge, {}, -1
  if limit.concurrency > 0 then
    local running = redis.pcall('HLEN', limit.held)
    if type(running) == 'number' then
      limit.free = math.max(limit.concurrency - running, 0)
    else
      fault = running.err
    end
  end
  if limit.interval > 0 and limit.free > 0 then
    local saved = redis.pcall('GET', limit.rate)
    if type(saved) == 'table' then
      return saved.err
    end
    limit.now = clock()
    limit.used = used(limit, saved, limit.now)
    -- Half a microsecond is more than the rounding errors of the times.
    local free = math.floor((limit.burst * limit.interval - limit.used + 0.5) / limit.interval)
    if free <= 0 then
      limit.wait = math.ceil(limit.used - (limit.burst - 1) * limit.interval)
    end
    limit.free = math.min(limit.free, free)
  end
  return fault
end

-- start notes that the job of a worker starts.
local function start(limit, worker, guard)
  local last = #limit.started
  limit.free = limit.free - 1
  limit.started[last + 1], limit.started[last + 2] = worker, guard
end

-- save writes which jobs have started. It returns the text of an error.
local function save(limit)
  local words, fault = limit.started, nil
  for from = 1, #words, 4000 do
    local reply = redis.pcall('HSET', limit.held, unpack(words, from, math.min(from + 3999, #words)))
    fault = type(reply) == 'table' and reply.err or fault
  end
  if limit.now and #words > 0 then
    local after = limit.used + #words / 2 * limit.interval
    local reply = redis.pcall('SET', limit.rate, ('%.3f'):format(limit.now + after), 'PX', math.ceil(after / 1000) + 1)
    fault = reply.err or fault
  end
  return fault
end
