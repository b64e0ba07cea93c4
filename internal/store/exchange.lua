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
--       unknown which free slots are not registered, told when a job waits; they
--               get none, so that a call that was delayed past its worker's end
--               strands none
--
-- Payloads are spliced as they are. A job is in its queue or in a record at
-- every instant: the record is written right after the pop, and a record is
-- deleted only after what must outlive it was pushed.

local q, f, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first_queue, first_pause = 4, 4 + q
local first_finished = first_pause + q
local first_free = first_finished + f
next_key, next_arg = first_free + n, 4 + q + 2 * n

local statuses = {}
for i = 1, f do
  local guard, effects = outcome()
  statuses[i] = settle(KEYS[first_finished + i - 1], guard, effects)
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

-- each calls fn with at most 5,000 values of KEYS at a time: unpack ends near 8,000.
local function each(first, count, fn)
  for from = first, first + count - 1, 5000 do
    fn(from, math.min(from + 4999, first + count - 1))
  end
end

-- A look that finds nothing should cost little, since every idle worker makes it
-- over and over: one MGET and one EXISTS. The rest waits until a job is there.
local records, switches = {}, redis.call('MGET', KEYS[1], KEYS[2], unpack(KEYS, first_free, first_free + math.min(n, 5000) - 1))
for i = 3, #switches do
  records[i - 2] = switches[i]
end
each(first_free + 5000, n - 5000, function(from, to)
  for i, record in ipairs(redis.call('MGET', unpack(KEYS, from, to))) do
    records[from - first_free + i] = record
  end
end)
local paused = switches[2] and true or (switches[1] or ''):match('^%s*(.-)%s*$'):lower() == 'true'

local function any(first, count)
  local found = 0
  each(first, count, function(from, to)
    found = found + redis.call('EXISTS', unpack(KEYS, from, to))
  end)
  return found > 0
end

local closed, known, fault, stuck = {}, {}, '', false
local waiting = not paused and n > 0 and any(first_queue, q)
if waiting then
  if any(first_pause, q) then
    for i = 1, q do
      closed[i] = redis.call('EXISTS', KEYS[first_pause + i - 1]) == 1
    end
  end
  each(4 + q + n, n, function(from, to)
    local members = redis.pcall('SMISMEMBER', KEYS[3], unpack(ARGV, from, to))
    if members.err then
      fault, stuck = members.err, true
    end
    for i, member in ipairs(members) do
      known[from - 4 - q - n + i] = member == 1
    end
  end)
end

local queue = 1

-- record_job writes the record of a job that was just popped, or says why not.
local function record_job(record, run_at, raw)
  local ok, body = pcall(recorded, raw)
  if not ok then
    return type(body) == 'table' and body.err or tostring(body)
  end
  return redis.pcall('SET', record,
    '{"queue":' .. ARGV[3 + queue] .. ',"run_at":"' .. run_at .. '","payload":' .. body .. '}').err
end

-- pop moves the first waiting job into record and returns its queue and payload.
local function pop(record, run_at)
  while queue <= q do
    local list = KEYS[first_queue + queue - 1]
    local raw = not closed[queue] and redis.pcall('LPOP', list)
    if type(raw) == 'table' then
      fault, raw = raw.err, false
    end
    if raw then
      local err = record_job(record, run_at, raw)
      if err then
        redis.call('LPUSH', list, raw)
        fault, stuck = err, true
        return nil
      end
      return queue, raw
    end
    queue = queue + 1
  end
end

local reserved, unknown = {}, {}
local function give(slot, from, text)
  reserved[#reserved + 1] = slot
  reserved[#reserved + 1] = from
  reserved[#reserved + 1] = text
end

for slot = 1, n do
  if records[slot] then
    give(slot, 0, records[slot])
  elseif stuck or not waiting then
    -- nothing to be had
  elseif not known[slot] then
    unknown[#unknown + 1] = slot
  else
    local at, raw = pop(KEYS[first_free + slot - 1], ARGV[3 + q + slot])
    if at then
      give(slot, at, raw)
    end
  end
end

return {paused and 1 or 0, fault, statuses, reserved, unknown}
