-- Does what exchange.lua does, for the calls of nearly all workers at nearly all times. The
-- script begins with payload.lua, and before it limit.lua if the caller knows limits.
--
-- KEYS  pause-all-workers, pause:all, workers, goresque:limits, the pause key of each
--       queue, the list of each queue, the record of each slot,
--       the keys that are deleted if they are strings,
--       stat:processed, the same counter of each slot that finished a job,
--       the other keys that are deleted,
--       for each place that is freed the hash of the limit's running jobs and the list of
--       the jobs that wait for it,
--       for each known limit the hash of its running jobs and the state of its rate
-- ARGV  how many queues there are,
--       how many slots, all of which are free,
--       how many of them, the first ones, finished a job without an effect other than
--       the counters and those that the keys name,
--       the length of the prefix of a queue's name in the key of its list,
--       how many keys are deleted if they are strings,
--       how many other keys are deleted,
--       how many places are freed,
--       how many limits the caller knows (see exchange.lua),
--       the run_at of each slot's next record,
--       the worker id of each slot,
--       the guard of each slot that finished a job,
--       for each place that is freed the number of the slot,
--       for each known limit the name of its queue and the queue's number, or 0, and if
--       there are any for each slot that finished a job the number of its limit, or 0
--
-- returns {more, fault, how many jobs come from each queue, payload, …, unchecked, …,
--         unparked, …, {uncounted}}: the jobs in the order of the slots, the numbers of
--         those that were not checked (see payload.lua), the lists of jobs that can have a
--         place, and the text of an error if a counter could not grow.
--         exchange.lua explains "more". fault is the text of an error if a limit could not
--         be written, or new records, so that no jobs were taken; else it is 0.
--
--         It returns nothing, and has changed nothing, if something is not as usual: all
--         workers or a queue are paused, a limit is new or may not allow a job for each
--         slot, a record is not the expected one, a slot is not registered, a payload is
--         long, or Redis refuses to pop or to delete. Then the caller runs exchange.lua. Only the
--         places of jobs that have ended may be free already, which exchange.lua repeats.

local queue_count, slot_count, finished_count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local prefix_length, string_count, key_count = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local place_count, known_limits = tonumber(ARGV[7]), tonumber(ARGV[8])
local first_queue = 5 + queue_count
local before_records = first_queue + queue_count - 1
local before_strings = before_records + slot_count
local processed = before_strings + string_count + 1
local before_keys = processed + finished_count
local before_places = before_keys + key_count
local before_limits = before_places + 2 * place_count
local before_run_ats = 8
local before_ids = before_run_ats + slot_count
local before_guards = before_ids + slot_count
local before_slots = before_guards + finished_count
local before_names = before_slots + place_count
local call = redis.pcall

-- Nothing is written until all is known to be as usual.
local values = call('MGET', KEYS[1], KEYS[2], unpack(KEYS, before_records + 1, before_strings + string_count))
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
  if call('EXISTS', unpack(KEYS, known_limits > 0 and 5 or 4, first_queue - 1)) ~= 0 then
    return
  end
  local members = call('SMISMEMBER', KEYS[3], unpack(ARGV, before_ids + 1, before_ids + slot_count))
  for i = 1, slot_count do
    if members[i] ~= 1 then
      return
    end
  end
end

-- limited has the limits of queues. Each must allow a job for every slot.
local limited = {}
if looks and known_limits > 0 then
  local texts, by_name = call('HGETALL', KEYS[4]), {}
  if texts.err or #texts ~= 2 * known_limits then
    return
  end
  for i = 1, #texts, 2 do
    by_name[texts[i]] = texts[i + 1]
  end
  local all, ended = {}, {}
  for i = 1, known_limits do
    local text, queue = by_name[ARGV[before_names + 2 * i - 1]], tonumber(ARGV[before_names + 2 * i])
    local limit = text and parse_limit(text, KEYS[before_limits + 2 * i - 1], KEYS[before_limits + 2 * i])
    if not limit then
      return
    end
    all[i], limited[queue], ended[i] = limit, limit, {}
  end
  limited[0] = nil
  for i = 1, finished_count do
    local ids = ended[tonumber(ARGV[before_names + 2 * known_limits + i])]
    if ids then
      ids[#ids + 1] = ARGV[before_ids + i]
    end
  end
  for i = 1, known_limits do
    if #ended[i] > 0 then
      call('HDEL', all[i].held, unpack(ended[i]))
    end
  end
  for _, limit in pairs(limited) do
    if look_at(limit) or limit.free < slot_count then
      return
    end
  end
end

-- Pop jobs, one by one because they may be large, and collect their records.
local most_bytes, popped, taken, failed = 1048576, 0, 0, false
local reply, words, unchecked = {0, 0}, {}, {}
local before_jobs = 2 + queue_count
local decode = looks and cjson.new and strict().decode
local find, recorded = string.find, nil
for queue = 1, queue_count do
  local list, before, limit = KEYS[first_queue + queue - 1], taken, limited[queue]
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
    if limit then
      start(limit, ARGV[before_ids + taken], head .. ARGV[before_run_ats + taken] .. '",')
    end
  end
  reply[2 + queue] = taken - before
end

-- First delete the other records of finished jobs, and the keys: then these jobs have ended.
-- Then write the new records, which overwrites those of finished jobs. If Redis refuses one
-- of that, the jobs that were popped go back.
local deleted = {}
for i = taken + 1, finished_count do
  deleted[#deleted + 1] = KEYS[before_records + i]
end
for i = 1, string_count do
  if values[2 + slot_count + i] then
    deleted[#deleted + 1] = KEYS[before_strings + i]
  end
end
for i = 1, key_count do
  deleted[#deleted + 1] = KEYS[before_keys + i]
end
if not failed and #deleted > 0 then
  failed = type(call('DEL', unpack(deleted))) == 'table'
end
local refused = not failed and taken > 0 and call(taken == 1 and 'SET' or 'MSET', unpack(words)).err
if failed or refused then
  local overwritten = math.min(taken, finished_count)
  for queue = queue_count, 1, -1 do
    for _ = 1, reply[2 + queue] do
      put_back(KEYS[first_queue + queue - 1], reply[before_jobs + taken])
      taken, reply[before_jobs + taken] = taken - 1, nil
    end
    reply[2 + queue] = 0
  end
  if failed then
    return
  end
  if overwritten > 0 then
    call('DEL', unpack(KEYS, before_records + 1, before_records + overwritten))
  end
  reply[2], unchecked, limited = refused, {}, {}
elseif taken < slot_count and popped >= most_bytes then
  reply[1] = 1
end
for i = 1, #unchecked do
  reply[before_jobs + taken + i] = unchecked[i]
end
for _, limit in pairs(limited) do
  reply[2] = save(limit) or reply[2]
end

if place_count > 0 then
  local lists = {}
  for i = 1, place_count do
    local slot = tonumber(ARGV[before_slots + i])
    if call('HDEL', KEYS[before_places + 2 * i - 1], ARGV[before_ids + slot]) == 1 then
      lists[#lists + 1] = KEYS[before_places + 2 * i]
    end
  end
  if #lists > 0 and call('EXISTS', unpack(lists)) ~= 0 then
    for i = 1, #lists do
      local size = call('LLEN', lists[i])
      if type(size) == 'number' and size > 0 then
        reply[#reply + 1] = lists[i]
      end
    end
  end
end
if finished_count > 0 then -- an error of a counter undoes nothing
  local counted = call('INCRBY', KEYS[processed], ARGV[3]) -- Redis formats a number slowly
  local uncounted = type(counted) == 'table' and counted.err
  for i = processed + 1, processed + finished_count do
    counted = call('INCRBY', KEYS[i], '1') -- as Ruby spells it
    uncounted = type(counted) == 'table' and counted.err or uncounted
  end
  if uncounted then
    reply[#reply + 1] = {uncounted}
  end
end
return reply
