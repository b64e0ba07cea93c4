-- Does what exchange.lua does, for the calls of nearly all workers at nearly all times. The
-- script begins with payload.lua.
--
-- KEYS  pause-all-workers, pause:all, workers, goresque:limits, the pause key of each
--       queue, the list of each queue, the record of each slot,
--       stat:processed, the same counter of each slot that finished a job
-- ARGV  how many queues there are,
--       how many slots, all of which are free,
--       how many of them, the first ones, finished a job without an effect other than
--       the counters,
--       the length of the prefix of a queue's name in the key of its list,
--       the run_at of each slot's next record,
--       the worker id of each slot,
--       the guard of each slot that finished a job
--
-- returns {more, how many jobs come from each queue, payload, …, unchecked, …}: the jobs in
--         the order of the slots, and the numbers of those that were not checked (see
--         payload.lua). exchange.lua explains "more".
--
--         It returns nothing, and has changed nothing, if something is not as usual: all
--         workers or a queue are paused, a queue has a limit, a record is not the expected
--         one, a slot is not registered, a payload is long, or Redis refuses a command. Then
--         the caller runs exchange.lua.

local queue_count, slot_count, finished_count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local prefix_length = tonumber(ARGV[4])
local first_queue = 5 + queue_count
local before_records = first_queue + queue_count - 1
local processed = before_records + slot_count + 1
local before_run_ats = 4
local before_ids = before_run_ats + slot_count
local before_guards = before_ids + slot_count
local call = redis.pcall

-- Nothing is written until all is known to be as usual.
local values = call('MGET', KEYS[1], KEYS[2], unpack(KEYS, before_records + 1, before_records + slot_count))
if values.err or values[1] or values[2] then
  return
end
for i = 1, slot_count do
  local held = values[2 + i]
  if i > finished_count then
    if held then
      return
    end
  elseif not held or held:find(ARGV[before_guards + i], 1, true) ~= 1 then
    return
  end
end
local looks = true
if finished_count == 0 then -- idle workers repeat this call
  looks = call('EXISTS', unpack(KEYS, first_queue, before_records)) ~= 0
end
if looks then
  if call('EXISTS', unpack(KEYS, 4, first_queue - 1)) ~= 0 then
    return
  end
  local members = call('SMISMEMBER', KEYS[3], unpack(ARGV, before_ids + 1, before_ids + slot_count))
  for i = 1, slot_count do
    if members[i] ~= 1 then
      return
    end
  end
end

-- Pop jobs, one by one because they may be large, and collect their records.
local most_bytes, popped, taken, failed = 1048576, 0, 0, false
local reply, words, unchecked = {0}, {}, {}
local before_jobs = 1 + queue_count
local decode = looks and cjson.new and strict().decode
local find, recorded = string.find, nil
for queue = 1, queue_count do
  local list, before = KEYS[first_queue + queue - 1], taken
  local head = '{"queue":"' .. list:sub(prefix_length + 1) .. '","run_at":"'
  while looks and taken < slot_count and popped < most_bytes and not failed do
    local raw = call('LPOP', list)
    if type(raw) ~= 'string' then
      failed = raw and true
      break
    end
    local body = raw
    taken, popped = taken + 1, popped + #raw
    if #raw > max_checked then
      failed = true
    elseif not within_budget(raw) then
      unchecked[#unchecked + 1] = taken
    elseif not (decode and find(raw, simple) and pcall(decode, raw)) then
      recorded = recorded or recorder()
      local ok
      ok, body = pcall(recorded, raw)
      failed = not ok
    end
    reply[before_jobs + taken] = raw
    words[2 * taken - 1] = KEYS[before_records + taken]
    words[2 * taken] = not failed and head .. ARGV[before_run_ats + taken] .. '","payload":' .. body .. '}'
  end
  reply[1 + queue] = taken - before
end

-- Write the records, which overwrites those of finished jobs, or give the jobs back.
failed = failed or taken > 0 and call(taken == 1 and 'SET' or 'MSET', unpack(words)).err
if failed then
  for queue = queue_count, 1, -1 do
    for _ = 1, reply[1 + queue] do
      call('LPUSH', KEYS[first_queue + queue - 1], reply[before_jobs + taken])
      taken = taken - 1
    end
  end
  return
end
if taken < slot_count and popped >= most_bytes then
  reply[1] = 1
end
for i = 1, #unchecked do
  reply[before_jobs + taken + i] = unchecked[i]
end

-- Delete the other records of finished jobs, and count. An error of a counter undoes nothing.
if taken < finished_count then
  call('DEL', unpack(KEYS, before_records + taken + 1, before_records + finished_count))
end
if finished_count > 0 then
  call('INCRBY', KEYS[processed], ARGV[3])
  for i = processed + 1, processed + finished_count do
    call('INCRBY', KEYS[i], '1') -- as Ruby spells it
  end
end
return reply
