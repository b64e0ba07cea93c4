-- Settles finished jobs and reserves new ones, for many slots at once.
--
-- KEYS  pause-all-workers, pause:all, workers,
--       each queue's list (q), each queue's pause key (q),
--       each finished slot's record (f), each free slot's record (n),
--       each effect's key, in the order of the effects in ARGV
-- ARGV  q, f, n, each queue's name as JSON (q), each free slot's run_at (n),
--       each free slot's worker id (n), then for each finished slot: its guard, the number of its effects,
--       and for each effect: command, number of arguments, arguments
-- returns {paused, fault, {status, …}, {slot, queue, text, …}, {unknown, …}}
--       status  1 settled, 0 the record was not ours any more, or an error's text
--       slot    which free slot (from 1) has a job now
--       queue   which queue (from 1) it came from, text being the payload; or 0:
--               the slot had a record already, which text is
--       fault   '' or why a queue could not be read
--       unknown which free slots are not registered; they get no new job, so that
--               a call that was delayed past its worker's end strands none
--
-- Payloads are spliced as they are. A job is in its queue or in a record at
-- every instant: the record is written right after the pop, and a record is
-- deleted only after what must outlive it was pushed.

local q, f, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first_queue, first_pause = 4, 4 + q
local first_finished = first_pause + q
local first_free = first_finished + f
local next_key = first_free + n
local next_arg = 4 + q + 2 * n

local function key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function arg()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end

-- settle runs one outcome's effects if its record is still there. Counters come
-- last and cannot undo what was pushed; a push that Redis refuses leaves the
-- record, so that the outcome can be tried again.
local function settle(record, guard, effects)
  if redis.pcall('GETRANGE', record, 0, #guard - 1) ~= guard then
    return 0
  end
  for _, e in ipairs(effects) do
    if e.command ~= 'INCRBY' then
      local reply = redis.pcall(e.command, e.key, unpack(e.args))
      if type(reply) == 'table' and reply.err then
        return reply.err
      end
    end
  end
  local reply = redis.pcall('DEL', record)
  if type(reply) == 'table' and reply.err then
    return reply.err
  end
  for _, e in ipairs(effects) do
    if e.command == 'INCRBY' then
      redis.pcall(e.command, e.key, unpack(e.args))
    end
  end
  return 1
end

local statuses = {}
for i = 1, f do
  local guard, effects = arg(), {}
  for e = 1, tonumber(arg()) do
    local effect = {command = arg(), key = key(), args = {}}
    for a = 1, tonumber(arg()) do
      effect.args[a] = arg()
    end
    effects[e] = effect
  end
  statuses[i] = settle(KEYS[first_finished + i - 1], guard, effects)
end

-- cjson as others configured it takes NaN, 0x10, 01 and depth 1,000, which Ruby
-- refuses. miniredis has no cjson.new; its decoder is strict by itself.
local json = cjson
if cjson.new then
  json = cjson.new()
  json.decode_invalid_numbers(false)
  json.decode_max_depth(100)
end

local function utf8(s)
  if not s:find('[\128-\255]') then
    return true
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

-- raw_controls finds control characters inside strings, which cjson takes and
-- Ruby does not.
local function raw_controls(s)
  if not s:find('%c') then
    return false
  end
  for text in s:gsub('\\.', ''):gmatch('"([^"]*)"') do
    if text:gsub('\127', ''):find('%c') then
      return true
    end
  end
  return false
end

-- readable tells, to check only, whether a booting Ruby worker that finds the
-- payload in a dead worker's record could read it and write it again.
local function readable(raw)
  if not raw:find('^%s*{') or raw_controls(raw) or not utf8(raw) then
    return false
  end
  return (pcall(json.decode, raw))
end

local digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local function base64(s)
  local out = {}
  for i = 1, #s, 3 do
    local a, b, c = s:byte(i, i + 2)
    local v = a * 65536 + (b or 0) * 256 + (c or 0)
    local quad = ''
    for shift = 3, 0, -1 do
      local d = math.floor(v / 64 ^ shift) % 64
      quad = quad .. digits:sub(d + 1, d + 1)
    end
    if not b then
      quad = quad:sub(1, 2) .. '=='
    elseif not c then
      quad = quad:sub(1, 3) .. '='
    end
    out[#out + 1] = quad
  end
  return table.concat(out)
end

local function unreadable(raw)
  local text = utf8(raw) and cjson.encode(raw) or '{"base64":"' .. base64(raw) .. '"}'
  return '{"class":"<unreadable>","args":[' .. text .. ']}'
end

-- each calls fn with at most 5,000 values of KEYS at a time: unpack ends near 8,000.
local function each(first, count, fn)
  for from = first, first + count - 1, 5000 do
    fn(from, math.min(from + 4999, first + count - 1))
  end
end

local everything = redis.call('GET', KEYS[1])
local paused = everything and everything:gsub('%s', ''):lower() == 'true'
paused = paused or redis.call('EXISTS', KEYS[2]) == 1

local closed = {}
if n > 0 and not paused then
  each(first_pause, q, function(from, to)
    if redis.call('EXISTS', unpack(KEYS, from, to)) > 0 then
      for i = from, to do
        closed[i - first_pause + 1] = redis.call('EXISTS', KEYS[i]) == 1
      end
    end
  end)
end

local queue, fault = 1, ''

-- pop moves the first waiting job into record and returns its queue and payload.
local function pop(record, run_at)
  while queue <= q do
    local list = KEYS[first_queue + queue - 1]
    local raw = not closed[queue] and redis.pcall('LPOP', list)
    if type(raw) == 'table' then
      fault, raw = raw.err, false
    end
    if raw then
      local body = readable(raw) and raw or unreadable(raw)
      local reply = redis.pcall('SET', record,
        '{"queue":' .. ARGV[3 + queue] .. ',"run_at":"' .. run_at .. '","payload":' .. body .. '}')
      if reply.err then
        redis.call('LPUSH', list, raw)
        fault = reply.err
        return nil
      end
      return queue, raw
    end
    queue = queue + 1
  end
end

local reserved = {}
local function give(slot, from, text)
  reserved[#reserved + 1] = slot
  reserved[#reserved + 1] = from
  reserved[#reserved + 1] = text
end

local unknown = {}
each(first_free, n, function(from, to)
  local records = redis.call('MGET', unpack(KEYS, from, to))
  local first_id = 4 + q + n + from - first_free
  local known = redis.call('SMISMEMBER', KEYS[3], unpack(ARGV, first_id, first_id + to - from))
  for i = from, to do
    local slot, record = i - first_free + 1, records[i - from + 1]
    if record then
      give(slot, 0, record)
    elseif known[i - from + 1] == 0 then
      unknown[#unknown + 1] = slot
    elseif not paused and fault == '' then
      local at, raw = pop(KEYS[i], ARGV[3 + q + slot])
      if at then
        give(slot, at, raw)
      end
    end
  end
end)

return {paused and 1 or 0, fault, statuses, reserved, unknown}
