-- Finishes jobs and reserves new ones, for many slots in one call. The script begins with
-- args.lua and payload.lua. Before them it has outcome.lua and limit.lua, unless the
-- outcomes are plain and the caller knows no limits: to create their functions takes longer
-- than a job.
--
-- KEYS  pause-all-workers, pause:all, workers,
--       the list of each queue, the pause key of each queue, goresque:limits,
--       the record of each slot,
--       the counters that every outcome adds one to,
--       for each known limit the hash of its running jobs and the state of its rate,
--       then, for each outcome in the order of ARGV, the keys of its effects and
--       of its other counters
-- ARGV  how many queues there are,
--       how many slots,
--       how many of them finished a job,
--       how many of them are free,
--       how many of them have a long record (see below),
--       how many counters every outcome adds one to,
--       the form of the outcomes: plain, ordered or mixed (see below),
--       for each plain outcome the digit 1 if it deletes a key, else 0; '' if none does,
--       the length of the prefix of a queue's name in the key of its list, or 0
--       if the names cannot be cut out of the keys: then the name of each queue
--       follows, as JSON,
--       how many limits the caller knows (see below),
--       how many jobs to pop first (see below),
--       the run_at of each free slot's next record,
--       the worker id of each free slot,
--       if the caller knows limits: the length of the prefix of a worker's id in the
--       key of its record; for each outcome the number of the limit of its queue, or 0,
--       joined with commas; for each limit the name of its queue and the queue's number,
--       or 0,
--       the outcomes of the slots that finished
--
-- The slots are in this order: those that only finished, those that finished and
-- are free, those that are only free. The slots with long records come first: of
-- such a record only the beginning is read, to compare it with the guard. A slot
-- with a long record is not free.
--
-- Forms of outcomes:
--       plain    each is only its guard, adds one to one counter that is not shared,
--                and may delete one key, which comes after the counter
--       ordered  each is as outcome.lua reads it
--       mixed    as ordered, but the number of its slot comes before each
-- Plain and ordered outcomes are in the order of the slots.
--
-- goresque:limits has the limits of queues; see limit.lua. The caller knows those that
-- were there at its last call. If there is a limit that it does not know, no job is taken,
-- because the keys of that limit are not in KEYS: the caller calls again.
--
-- returns {paused, fault, statuses, {slot, queue, payload, …}, {unknown, …}, more,
--          {queue, wait, …}, limits, unparked}, without the last three if there is
--          nothing in them
--       paused   1 if all workers are paused
--       fault    why a queue could not be read, or ''
--       statuses 1 if every job is finished, else for each job 1 if it is finished,
--                0 if the record is no longer the slot's, the text of an error, or
--                the values of the keys of which the outcome expected others
--       slot     the number (from 1) of a free slot that has a job now
--       queue    the number (from 1) of the queue that the job came from, negative
--                if the payload was not checked (see payload.lua); 0 if the slot had
--                a record before this call: then payload is that record
--       payload  nil if it is large: the caller reads it from the record
--       unknown  the number of a free slot that is not registered, if jobs are
--                waiting. It gets no job, so that a call that arrives after its
--                worker has ended takes none
--       more     1 if slots were left free because the call has copied enough, or
--                because the caller does not know a limit
--       wait     if jobs of a queue are waiting and its limit allows none: after how
--                many microseconds it allows one, or -1 if a job must end first
--       unparked the lists of jobs that wait for limits by key, and can have a place
--       limits   0 if the caller knows the limits that there are, else the names of
--                their queues
--
-- Payloads are spliced, never encoded again. A job is always in a queue or in a
-- record when other clients look: nothing between a pop and the writing of the
-- records can end the script, and a record is deleted or overwritten only after
-- the effects of its outcome were written. One command serves all slots if
-- possible, because a command costs as much as performing a short job.

local queue_count, slot_count = tonumber(ARGV[1]), tonumber(ARGV[2])
local finished_count, free_count, long_count = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local shared_counters = tonumber(ARGV[6])
local plain, mixed = ARGV[7] == 'plain', ARGV[7] == 'mixed'
local deletes, prefix_length = ARGV[8], tonumber(ARGV[9])

-- These are the starts of the groups in KEYS and in ARGV. The record of slot i is
-- KEYS[before_records + i], and free slot i is slot before_free + i.
local first_queue, first_pause = 4, 4 + queue_count
local limits = 4 + 2 * queue_count
local before_records = limits
local first_counter = before_records + slot_count + 1
local before_free = slot_count - free_count
local before_names = 9
local before_run_ats = before_names + (prefix_length > 0 and 0 or queue_count) + 1
local known_limits, batch = tonumber(ARGV[before_run_ats]), tonumber(ARGV[before_run_ats + 1])
before_run_ats = before_run_ats + 1
local before_ids = before_run_ats + free_count
local before_held = first_counter + shared_counters - 1
local before_limits = before_ids + free_count
next_key, next_arg = before_held + 2 * known_limits + 1, before_limits + 1

-- limit_of has for each outcome the number of the limit of its queue, or 0.
local id_at, limit_of, freed = 1, {}, {}
if known_limits > 0 then
  id_at = tonumber(arg()) + 1
  for number in arg():gmatch('%d+') do
    limit_of[#limit_of + 1] = tonumber(number)
  end
  before_limits, next_arg = next_arg - 1, next_arg + 2 * known_limits
end

-- each calls fn for parts of at most 4,000 values: unpack fails near 8,000, and near 5,000 in miniredis.
local function each(first, last, fn)
  for from = first, last, 4000 do
    fn(from, math.min(from + 3999, last))
  end
end

-- records has the text of each slot's record, or false.
local records = {}
local function read(first, last)
  each(first, last, function(from, to)
    for i, record in ipairs(redis.call('MGET', unpack(KEYS, before_records + from, before_records + to))) do
      records[from + i - 1] = record
    end
  end)
end

read(long_count + 1, finished_count)
local statuses, settled = {}, 0
local counters_from, counters_to = {}, {}
local ended = {} -- keys of records
local deleted = {} -- the key that a plain outcome deletes

local function delete(i)
  local reply = redis.pcall('DEL', KEYS[before_records + i])
  if type(reply) == 'table' and reply.err then
    statuses[i] = reply.err
  end
end

for at = 1, finished_count do
  local i, guard, effects = at, nil, 0
  if plain then
    guard, next_arg, next_key = ARGV[next_arg], next_arg + 1, next_key + 1
    counters_from[i], counters_to[i] = next_key - 1, next_key - 1
    if deletes:byte(at) == 49 then -- 1
      deleted[i], next_key = KEYS[next_key], next_key + 1
    end
  else
    i = mixed and tonumber(arg()) or at
    guard, effects = outcome()
  end
  local held = records[i]
  local ours
  if i <= long_count then
    ours = redis.pcall('GETRANGE', KEYS[before_records + i], 0, #guard - 1) == guard
  else
    ours = held and held:find(guard, 1, true) == 1
  end
  ours = ours and guard ~= '' and not (i <= before_free and ended[KEYS[before_records + i]])
  if plain then
    statuses[i] = ours and 1 or 0
  else
    statuses[i] = run(effects, ours)
    counters_from[i], counters_to[i] = counters()
  end
  if statuses[i] == 1 then
    records[i] = false
    if i <= before_free then
      delete(i)
      ended[KEYS[before_records + i]] = true
    end
    local limit = limit_of[at] or 0
    if limit > 0 then
      freed[limit] = freed[limit] or {}
      table.insert(freed[limit], KEYS[before_records + i]:sub(id_at))
    end
  end
end
for limit, ids in pairs(freed) do
  each(1, #ids, function(from, to)
    redis.pcall('HDEL', KEYS[before_held + 2 * limit - 1], unpack(ids, from, to))
  end)
end

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
-- payload two more times. It returns the text of an error, or nil.
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
    redis.pcall('LPUSH', KEYS[first_queue + queue - 1], jobs[i])
  end
  fault = err or fault
  return not err
end

-- A call copies about most_bytes of payloads. How large a payload is, is known only
-- after it is popped. So each pop takes at most twice as many jobs as the one before,
-- until most_bytes were popped. The first pop takes as many as the caller says: twice
-- as many as its last call took, or one if that call popped most_bytes. The slots that
-- are left free get their jobs from the next call.
local most_bytes, popped = 1048576, 0

-- next_batch returns how many jobs to pop next, 0 if the call has popped enough.
local function next_batch()
  return popped < most_bytes and math.min(wanted - taken, batch) or 0
end

local function count_popped(jobs)
  for _, raw in ipairs(jobs) do
    popped = popped + #raw
  end
  batch = math.min(2 * batch, 2000)
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

-- take pops the waiting jobs of a queue and writes their records. It returns false
-- if the call must pop no more.
local function take(queue)
  local limit = limited[queue]
  repeat
    local some = next_batch()
    if some == 0 then
      return false
    end
    if limit then
      some = math.min(some, free(limit))
      if some == 0 then
        deny(queue)
        return true
      end
    end
    local jobs = redis.pcall('LPOP', KEYS[first_queue + queue - 1], some)
    if not jobs then
      return true
    elseif jobs.err then
      fault = jobs.err
      return true -- the other queues are served
    end
    count_popped(jobs)
    if not write(queue, jobs) then
      return false
    end
  until #jobs < some or taken == wanted
  return true
end

-- skip skips empty queues: it returns the number of the next queue to pop from, and
-- the jobs that it popped from it, if any. Of many queues most are empty, and LMPOP
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
  local size = #words
  words[size + 1], words[size + 2], words[size + 3] = 'LEFT', 'COUNT', next_batch()
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
  count_popped(reply[2])
  return queue, reply[2]
end

local queue, jobs = 1, nil
while queue <= queue_count and next_batch() > 0 do
  queue, jobs = skip(queue)
  if jobs and not write(queue, jobs) then
    break
  end
  if queue <= queue_count and next_batch() > 0 then
    if not closed[queue] and not take(queue) then
      break
    end
    queue = queue + 1
  end
end

for _, limit in pairs(limited) do
  local err = limit.started and save(limit)
  fault = err or fault
end

-- Delete the records that were not overwritten with a new job.
for i = before_free + 1, finished_count do
  if statuses[i] == 1 and not filled[i] then
    delete(i)
  end
end

-- Counters come last: an error of one undoes nothing.
for i = 1, finished_count do
  if statuses[i] == 1 then
    settled = settled + 1
    for k = counters_from[i], counters_to[i] do
      redis.pcall('INCR', KEYS[k])
    end
  end
end
if deletes ~= '' then
  local keys = {}
  for i, key in pairs(deleted) do
    if statuses[i] == 1 then
      keys[#keys + 1] = key
    end
  end
  each(1, #keys, function(from, to)
    redis.pcall('DEL', unpack(keys, from, to))
  end)
end
if settled > 0 then
  for k = first_counter, first_counter + shared_counters - 1 do
    redis.pcall('INCRBY', KEYS[k], settled)
  end
end

local more = (taken < wanted and popped >= most_bytes or incomplete) and 1 or 0
local reply = {paused and 1 or 0, fault, settled == finished_count and 1 or statuses, reserved, unknown, more}
local places = #freed_lists > 0 and unparked() or {}
if #denied > 0 or names ~= 0 or #places > 0 then
  reply[7], reply[8], reply[9] = denied, names, places
end
return reply
