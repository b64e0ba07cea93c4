-- Settles finished jobs and reserves new ones, for many slots at once.
--
-- KEYS  pause-all-workers, pause:all, workers,
--       each queue's list (q), each queue's pause key (q),
--       each slot's record (s), each counter that every outcome adds one to (c),
--       each effect's and counter's key, in the order of the outcomes in ARGV
-- ARGV  q, s, f, n, l, c, o, p, each queue's name as JSON (q), each free slot's run_at (n),
--       each free slot's worker id (n), then the outcomes of the finished slots
--       o  plain: of each there is its guard, and it has one counter; ordered: as
--          settle.lua reads them; mixed: so, and before each its slot's number.
--          They are in the order of the slots, unless mixed
--       p  0, or how long what precedes the queue's name in its list's key is:
--          then the names are not sent, and are JSON as they are
--
-- The first f slots have finished a job, the last n are free; those in between
-- are both. The records of the first l are too long to be read for their guards
-- as a whole; those slots are not in between.
--
-- returns {paused, fault, statuses, {slot, queue, text, …}, {unknown, …}}
--       statuses 1 all outcomes are settled, or for each: 1 settled, 0 the record
--               was not ours any more, or an error's text
--       slot    which free slot (from 1) has a job now
--       queue   which queue (from 1) it came from, text being the payload; or 0:
--               the slot had a record already, which text is
--       fault   '' or why a queue could not be read
--       unknown which free slots are not registered, told when a job waits; they
--               get none, so that a call that was delayed past its worker's end
--               strands none
--
-- Payloads are spliced as they are. A job is in its queue or in a record at
-- every instant that others see: nothing between a pop and the writing of the
-- records can end the script, and a record is deleted, or written over, only
-- after what must outlive it was pushed. What is done for all slots at once is
-- one command where it can be: a command of a script costs as much as it costs
-- to perform a job.

local q, s, f = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local n, l, c = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local plain, mixed = ARGV[7] == 'plain', ARGV[7] == 'mixed'
local first_queue, first_pause = 4, 4 + q
local slots = 3 + 2 * q -- slot i's record is KEYS[slots + i]
local first_free = s - n -- free slot i is slot first_free + i
local first_counter = slots + s + 1
local prefix = tonumber(ARGV[8])
local before_run_ats = 8 + (prefix > 0 and 0 or q)
local before_ids = before_run_ats + n
next_key, next_arg = first_counter + c, before_ids + n + 1

-- each calls fn with at most 5,000 values at a time: unpack ends near 8,000.
local function each(first, last, fn)
  for from = first, last, 5000 do
    fn(from, math.min(from + 4999, last))
  end
end

-- records are what the slots' records hold, or false.
local records = {}
local function read(first, last)
  each(first, last, function(from, to)
    for i, record in ipairs(redis.call('MGET', unpack(KEYS, slots + from, slots + to))) do
      records[from + i - 1] = record
    end
  end)
end

read(l + 1, f)
local statuses, settled = {}, 0
local counters_from, counters_to = {}, {}
local ended = {} -- keys of records

local function delete(i)
  local reply = redis.pcall('DEL', KEYS[slots + i])
  if type(reply) == 'table' and reply.err then
    statuses[i] = reply.err
  end
end

for at = 1, f do
  local i, guard, effects = at, nil, nil
  if plain then
    guard, next_arg, next_key = ARGV[next_arg], next_arg + 1, next_key + 1
    counters_from[i], counters_to[i] = next_key - 1, next_key - 1
  else
    i = mixed and tonumber(arg()) or at
    guard, effects, counters_from[i], counters_to[i] = outcome()
  end
  local held = records[i]
  local ours
  if i <= l then
    ours = redis.pcall('GETRANGE', KEYS[slots + i], 0, #guard - 1) == guard
  else
    ours = held and held:find(guard, 1, true) == 1
  end
  if not ours or guard == '' or i <= first_free and ended[KEYS[slots + i]] then
    statuses[i] = 0
  else
    statuses[i] = effects and push(effects) or 1
    if statuses[i] == 1 then
      records[i] = false
      if i <= first_free then
        delete(i)
        ended[KEYS[slots + i]] = true
      end
    end
  end
end

-- cjson as others configured it takes NaN, 0x10, 01 and depth 1,000, which Ruby
-- refuses. The record adds a level to the 100 that Ruby reads.
local max_depth = 99
local json = cjson
if cjson.new then
  json = cjson.new()
  json.decode_invalid_numbers(false)
  json.decode_max_depth(max_depth)
end

-- has tells whether s has a character of a class, "some" being a pattern for one
-- and "none" for a beginning without any. The latter takes Redis less time, which
-- is nobody else's meanwhile; miniredis would recurse for each character, and a
-- large payload would end it.
local function has(s, some, none)
  if not cjson.new then
    return s:find(some)
  end
  local _, last = s:find(none)
  return last < #s
end

local function utf8(s)
  if not has(s, '[\128-\255]', '^[^\128-\255]*') then
    return true
  end
  -- miniredis would need minutes for this. As base64 a payload is as safe.
  if not cjson.new and #s > 20000 then
    return false
  end
  -- Each whole sequence becomes a space, so that its neighbours cannot join.
  local rest = s
    :gsub('\240[\144-\191][\128-\191][\128-\191]', ' ')
    :gsub('[\241-\243][\128-\191][\128-\191][\128-\191]', ' ')
    :gsub('\244[\128-\143][\128-\191][\128-\191]', ' ')
    :gsub('\224[\160-\191][\128-\191]', ' ')
    :gsub('[\225-\236\238\239][\128-\191][\128-\191]', ' ')
    :gsub('\237[\128-\159][\128-\191]', ' ')
    :gsub('[\194-\223][\128-\191]', ' ')
  return not rest:find('[\128-\255]')
end

-- any_piece calls fn with each piece of s that stands inside a string or outside
-- of them, until it answers true. Patterns such as "[^"]*" would do it, too, but
-- miniredis recurses for each of their characters, and a large payload ends it.
local function any_piece(s, fn)
  local text = s:find('\\', 1, true) and s:gsub('\\.', '') or s
  local from, inside = 1, false
  repeat
    local quote = text:find('"', from, true) or #text + 1
    if fn(text:sub(from, quote - 1), inside) then
      return true
    end
    from, inside = quote + 1, not inside
  until from > #text
  return false
end

-- raw_controls finds control characters inside strings, which cjson takes and
-- Ruby does not, and zero bytes, at which cjson ends.
local function raw_controls(s)
  if not has(s, '%c', '^%C*') then
    return false
  end
  return s:find('\0', 1, true) or any_piece(s, function(piece, inside)
    return inside and piece:find('[%z\1-\31]')
  end)
end

local function digit(byte)
  return byte and byte >= 48 and byte <= 57
end

local function odd(piece)
  local dot = piece:find('.', 1, true)
  while dot do
    local before, _, after = piece:byte(dot - 1, dot + 1)
    if before == 45 or digit(before) and not digit(after) then -- a minus sign
      return true
    end
    dot = piece:find('.', dot + 1, true)
  end
  return false
end

-- odd_numbers finds 1. and -.5, which cjson takes and Ruby does not.
local function odd_numbers(s)
  return odd(s) and any_piece(s, function(piece, inside)
    return not inside and odd(piece)
  end)
end

local function too_deep(s)
  local depth = 0
  return any_piece(s, function(piece, inside)
    for bracket in (inside and '' or piece):gmatch('[%[%]{}]') do
      depth = depth + ((bracket == '[' or bracket == '{') and 1 or -1)
      if depth > max_depth then
        return true
      end
    end
  end)
end

-- decodes tells whether cjson reads s. miniredis's cjson answers nil where
-- another raises an error, and has no limit.
local function decodes(s)
  local ok, value = pcall(json.decode, s)
  return ok and value ~= nil and (cjson.new or not too_deep(s))
end

-- readable tells, to check only, whether a booting Ruby worker that finds the
-- payload in a dead worker's record could read it and write it again.
local function readable(raw)
  local first = raw:find('%S')
  return first and raw:byte(first) == 123 -- {
    and not raw_controls(raw) and not odd_numbers(raw) and utf8(raw) and decodes(raw)
end

local digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local function base64(s)
  local pairs_of = {} -- 12 bits, which are two digits
  local function two(n)
    if not pairs_of[n] then
      local high, low = math.floor(n / 64) + 1, n % 64 + 1
      pairs_of[n] = digits:sub(high, high) .. digits:sub(low, low)
    end
    return pairs_of[n]
  end
  local blocks = {}
  for from = 1, #s, 6000 do -- in blocks: concat takes no more than 5,000 strings in miniredis
    local block = {}
    for i = from, math.min(from + 5999, #s), 3 do
      local a, b, c = s:byte(i, i + 2)
      local n = a * 65536 + (b or 0) * 256 + (c or 0)
      block[#block + 1] = two(math.floor(n / 4096)) .. two(n % 4096)
    end
    blocks[#blocks + 1] = table.concat(block)
  end
  local text, spare = table.concat(blocks), -#s % 3
  return text:sub(1, #text - spare) .. ('='):rep(spare)
end

-- recorded is how a record holds a payload.
local function recorded(raw)
  if readable(raw) then
    return raw
  end
  local text = utf8(raw) and cjson.encode(raw) or '{"base64":"' .. base64(raw) .. '"}'
  return '{"class":"<unreadable>","args":[' .. text .. ']}'
end

-- A look that finds nothing should cost little, since every idle worker makes it
-- over and over: one MGET and one EXISTS. The rest waits until a job is there.
local only_free = math.max(f, first_free) + 1
local few = math.min(s, only_free + 4999)
local switches = redis.call('MGET', KEYS[1], KEYS[2], unpack(KEYS, slots + only_free, slots + few))
for i = 3, #switches do
  records[only_free + i - 3] = switches[i]
end
read(few + 1, s)
local paused = switches[2] and true or (switches[1] or ''):match('^%s*(.-)%s*$'):lower() == 'true'

local function any(first, last)
  local found = 0
  each(first, last, function(from, to)
    found = found + redis.call('EXISTS', unpack(KEYS, from, to))
  end)
  return found > 0
end

local reserved, unknown, last = {}, {}, 0
local function give(slot, from, text)
  reserved[last + 1], reserved[last + 2], reserved[last + 3] = slot - first_free, from, text
  last = last + 3
end

-- wanting are the slots that can take a job.
local wanting, wanted, fault, closed = {}, 0, '', {}
local waiting = not paused and n > 0 and any(first_queue, first_pause - 1)
if waiting then
  if any(first_pause, slots) then
    for i = 1, q do
      closed[i] = redis.call('EXISTS', KEYS[first_pause + i - 1]) == 1
    end
  end
  each(1, n, function(from, to)
    local members = redis.pcall('SMISMEMBER', KEYS[3], unpack(ARGV, before_ids + from, before_ids + to))
    if members.err then
      fault = members.err
    end
    for i, member in ipairs(members) do
      local slot = from + i - 1
      if records[first_free + slot] then
        -- it has a job
      elseif member == 1 then
        wanted = wanted + 1
        wanting[wanted] = first_free + slot
      else
        unknown[#unknown + 1] = slot
      end
    end
  end)
end
for slot = first_free + 1, s do
  if records[slot] then
    give(slot, 0, records[slot])
  end
end

-- write puts jobs that were just popped into the records of the next slots. What
-- it cannot write goes back, and ends the looking: it returns false.
local taken, filled, find, glance = 0, {}, string.find, cjson.new
local function write(queue, jobs)
  local name = prefix > 0 and '"' .. KEYS[first_queue + queue - 1]:sub(prefix + 1) .. '"' or ARGV[8 + queue]
  local words, err = {}, nil
  name = '{"queue":' .. name .. ',"run_at":"'
  local run_ats = before_run_ats - first_free
  for i, raw in ipairs(jobs) do
    local slot, body = wanting[taken + i], raw
    -- Most payloads are readable at a glance.
    if not (glance and find(raw, '^{[^%c.\128-\255]*$') and pcall(json.decode, raw)) then
      local ok
      ok, body = pcall(recorded, raw)
      if not ok then
        err = type(body) == 'table' and body.err or tostring(body)
        break
      end
    end
    words[2 * i - 1] = KEYS[slots + slot]
    words[2 * i] = name .. ARGV[run_ats + slot] .. '","payload":' .. body .. '}'
  end
  local written = #words / 2
  if written > 0 then
    local reply = redis.pcall(written == 1 and 'SET' or 'MSET', unpack(words))
    if reply.err then
      err, written = reply.err, 0
    end
  end
  for i = 1, written do
    local slot = wanting[taken + i]
    filled[slot] = true
    give(slot, queue, jobs[i])
  end
  taken = taken + written
  for i = #jobs, written + 1, -1 do
    redis.pcall('LPUSH', KEYS[first_queue + queue - 1], jobs[i])
  end
  fault = err or fault
  return not err
end

-- take has queue's waiting jobs written, 2,000 at most at a time.
local function take(queue)
  repeat
    local some = math.min(wanted - taken, 2000)
    local jobs = redis.pcall('LPOP', KEYS[first_queue + queue - 1], some)
    if not jobs then
      return true
    elseif jobs.err then
      fault = jobs.err
      return true -- the other queues are served
    elseif not write(queue, jobs) then
      return false
    end
  until #jobs < some or taken == wanted
  return true
end

-- skip returns the first queue from queue on that is not empty, and jobs of it. Of
-- many queues, most are: Redis 7 looks at them faster than a loop of this script.
local native = next(closed) == nil
local function skip(queue)
  local last = math.min(q, queue + 4999)
  if not native or last - queue < 8 then
    return queue
  end
  local words = {last - queue + 1}
  for i = queue, last do
    words[i - queue + 2] = KEYS[first_queue + i - 1]
  end
  local size = #words
  words[size + 1], words[size + 2], words[size + 3] = 'LEFT', 'COUNT', math.min(wanted - taken, 2000)
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
  return queue, reply[2]
end

local queue, jobs = 1, nil
while queue <= q and taken < wanted do
  queue, jobs = skip(queue)
  if jobs and not write(queue, jobs) then
    break
  end
  if queue <= q and taken < wanted then
    if not closed[queue] and not take(queue) then
      break
    end
    queue = queue + 1
  end
end

-- The records that no new job was written over go now.
for i = first_free + 1, f do
  if statuses[i] == 1 and not filled[i] then
    delete(i)
  end
end

-- Counters come last and cannot undo what was done.
for i = 1, f do
  if statuses[i] == 1 then
    settled = settled + 1
    for k = counters_from[i], counters_to[i] do
      redis.pcall('INCR', KEYS[k])
    end
  end
end
if settled > 0 then
  for k = first_counter, first_counter + c - 1 do
    redis.pcall('INCRBY', KEYS[k], settled)
  end
end

return {paused and 1 or 0, fault, settled == f and 1 or statuses, reserved, unknown}
