-- Part of exchange.lua: it reserves jobs for the free slots.

-- Idle workers repeat this call. If no job is waiting, it costs one MGET and one
-- EXISTS.
local only_free = math.max(finished_count, before_free) + 1
local few = math.min(slot_count, only_free + 3999)
local switches = redis.call('MGET', KEYS[1], KEYS[2], unpack(KEYS, before_records + only_free, before_records + few))
for i = 3, #switches do
  records[only_free + i - 3] = switches[i]
end
read(few + 1, slot_count)
local paused = switches[2] and true or (switches[1] or ''):match('^%s*(.-)%s*$'):lower() == 'true'

local function existing(first, last)
  local found = 0
  each(first, last, function(from, to)
    found = found + redis.call('EXISTS', unpack(KEYS, from, to))
  end)
  return found
end

local reserved, unknown, last = {}, {}, 0
local function give(slot, from, text)
  reserved[last + 1], reserved[last + 2], reserved[last + 3] = slot - before_free, from, text
  last = last + 3
end

-- wanting lists the slots that can take a job. Queue i is skipped if closed[i] is
-- true. If it has a limit, that is limited[i].
local wanting, wanted, fault, closed, limited = {}, 0, '', {}, {}
local names, incomplete = 0, false -- see limits in the header

-- read_limits reads the limits of the queues. It returns false if the caller does not
-- know all of them.
local function read_limits(texts)
  local by_name = {}
  for i = 1, #texts, 2 do
    by_name[texts[i]] = texts[i + 1]
  end
  local missing = #texts / 2 < known_limits
  for i = 1, known_limits do
    local name, queue = ARGV[before_limits + 2 * i - 1], tonumber(ARGV[before_limits + 2 * i])
    local text = by_name[name]
    by_name[name] = nil
    if text and queue > 0 then
      local limit = parse_limit(text, KEYS[before_held + 2 * i - 1], KEYS[before_held + 2 * i])
      limited[queue] = limit
      fault = limit and fault or 'the limit of queue ' .. name .. ' is not applied: it is damaged'
    end
  end
  incomplete = next(by_name) ~= nil
  if incomplete or missing then
    names = {}
    for i = 1, #texts, 2 do
      names[#names + 1] = texts[i]
    end
  end
  return not incomplete
end

local waiting = not paused and free_count > 0 and existing(first_queue, first_pause - 1) > 0
if waiting then
  local special, texts = existing(first_pause, limits), {}
  if special > 0 then
    texts = redis.pcall('HGETALL', KEYS[limits])
    if texts.err then
      fault, special = 'limits of queues are not applied: ' .. texts.err, special - 1
      texts = {}
    elseif #texts > 0 then
      special = special - 1
    end
  end
  waiting = (#texts == 0 and known_limits == 0) or read_limits(texts)
  if special > 0 then
    for i = 1, queue_count do
      closed[i] = redis.call('EXISTS', KEYS[first_pause + i - 1]) == 1
    end
  end
end
if waiting then
  each(1, free_count, function(from, to)
    local members = redis.pcall('SMISMEMBER', KEYS[3], unpack(ARGV, before_ids + from, before_ids + to))
    if members.err then
      fault = members.err
    end
    for i, member in ipairs(members) do
      local slot = from + i - 1
      if records[before_free + slot] then
        -- it has a job
      elseif member == 1 then
        wanted = wanted + 1
        wanting[wanted] = before_free + slot
      else
        unknown[#unknown + 1] = slot
      end
    end
  end)
end
for slot = before_free + 1, slot_count do
  if records[slot] then
    give(slot, 0, records[slot])
  end
end

local taken, filled, find, recorded = 0, {}, string.find, nil

-- set_large writes a record without building it in Lua, which would copy the
-- payload two more times, unless Redis refuses that. It returns the text of an error, or nil.
local function set_large(record, head, raw)
  local reply = redis.pcall('SET', record, head)
  for _, text in ipairs({raw, '}'}) do
    if reply.err then
      break
    end
    reply = redis.pcall('APPEND', record, text)
    reply = type(reply) == 'table' and reply or {}
  end
  if reply.err then
    reply = redis.pcall('SET', record, head .. raw .. '}')
  end
  if reply.err then
    redis.pcall('DEL', record)
  end
  return reply.err
end

-- write puts jobs that were just popped into the records of the next slots. If a
-- record cannot be written, write puts the jobs that are left back into their queue
-- and returns false: the call then pops no more.
local function write(queue, jobs)
  local name = prefix_length > 0 and '"' .. KEYS[first_queue + queue - 1]:sub(prefix_length + 1) .. '"' or ARGV[before_names + queue]
  name = '{"queue":' .. name .. ',"run_at":"'
  local run_ats, limit = before_run_ats - before_free, limited[queue]
  local unchecked, written, words, err = {}, 0, {}, nil

  -- flush writes the records that are collected in words, by one command.
  local function flush()
    local count = #words / 2
    if count > 0 then
      local reply = redis.pcall(count == 1 and 'SET' or 'MSET', unpack(words))
      words, err = {}, reply.err
      written = written + (err and 0 or count)
    end
    return not err
  end

  local decode = cjson.new and strict().decode
  for i, raw in ipairs(jobs) do
    local slot, body = wanting[taken + i], raw
    local record, run_at = KEYS[before_records + slot], ARGV[run_ats + slot]
    local checked = within_budget(raw)
    unchecked[i] = not checked or nil
    if #raw > max_checked then
      err = not flush() and err or set_large(record, name .. run_at .. '","payload":', raw)
      written = written + (err and 0 or 1)
    else
      if checked and not (decode and find(raw, simple) and pcall(decode, raw)) then
        recorded = recorded or recorder()
        local ok
        ok, body = pcall(recorded, raw)
        err = not ok and (type(body) == 'table' and body.err or tostring(body)) or nil
      end
      if not err then
        words[#words + 1] = record
        words[#words + 1] = name .. run_at .. '","payload":' .. body .. '}'
      end
      if #words == 4000 then
        flush()
      end
    end
    if err then
      break
    end
  end
  local failed = err
  flush()
  err = failed or err

  for i = 1, written do
    local slot, raw = wanting[taken + i], jobs[i]
    filled[slot] = true
    give(slot, unchecked[i] and -queue or queue, #raw <= max_checked and raw)
    if limit then
      start(limit, ARGV[before_ids + slot - before_free], name .. ARGV[run_ats + slot] .. '",')
    end
  end
  taken = taken + written
  for i = #jobs, written + 1, -1 do
    put_back(KEYS[first_queue + queue - 1], jobs[i])
  end
  fault = err or fault
  return not err
end

-- A call copies less than most_bytes of payloads, and one more payload, which may have any
-- size. How large a payload is, is known only after it is popped, so a pop takes one job. The
-- slots that are left free get their jobs from the next call.
local most_bytes, popped = 1048576, 0

-- full reports whether the call must pop no more.
local function full()
  return taken == wanted or popped >= most_bytes
end

-- free returns how many jobs of a limited queue may start now.
local function free(limit)
  if not limit.started then
    local err = look_at(limit)
    fault = err and 'a limit is not applied: ' .. err or fault
  end
  return limit.free
end

-- deny notes that a limit allows no job of a queue now, if there are any.
local denied = {}
local function deny(queue)
  local size = redis.pcall('LLEN', KEYS[first_queue + queue - 1])
  if type(size) == 'number' and size > 0 then
    denied[#denied + 1], denied[#denied + 2] = queue, limited[queue].wait
  end
end

-- take pops the waiting jobs of a queue, after the first one if that was popped already, and
-- writes their records. It returns false if the call must pop no more.
local function take(queue, first)
  local limit, jobs = limited[queue], { first }
  local some = math.min(wanted - taken, limit and free(limit) or wanted)
  while #jobs < some and popped < most_bytes do
    local raw = redis.pcall('LPOP', KEYS[first_queue + queue - 1])
    if type(raw) ~= 'string' then
      fault = raw and raw.err or fault
      break -- the other queues are served
    end
    jobs[#jobs + 1], popped = raw, popped + #raw
  end
  if #jobs > 0 and not write(queue, jobs) then
    return false
  end
  if limit and limit.free == 0 and not full() then
    deny(queue)
  end
  return true
end

-- skip skips empty queues: it returns the number of the next queue to pop from, and
-- a job that it popped from it, if there is one. Of many queues most are empty, and LMPOP
-- (Redis 7) skips them faster than a loop in this script.
local native = true
local function skip(queue)
  local last, most = queue - 1, native and math.min(queue_count, queue + 3999) or 0
  while last < most and not closed[last + 1] and not limited[last + 1] do
    last = last + 1
  end
  if last - queue < 8 then
    return queue
  end
  local words = {last - queue + 1}
  for i = queue, last do
    words[i - queue + 2] = KEYS[first_queue + i - 1]
  end
  words[#words + 1] = 'LEFT'
  local reply = redis.pcall('LMPOP', unpack(words))
  if not reply then
    return last + 1
  elseif reply.err then
    native = false
    return queue
  end
  while KEYS[first_queue + queue - 1] ~= reply[1] do
    queue = queue + 1
  end
  popped = popped + #reply[2][1]
  return queue, reply[2][1]
end

local queue, job = 1, nil
while queue <= queue_count and not full() do
  queue, job = skip(queue)
  if queue <= queue_count and not closed[queue] and not take(queue, job) then
    break
  end
  queue = queue + 1
end

for _, limit in pairs(limited) do
  local err = limit.started and save(limit)
  fault = err or fault
end
