-- Finishes jobs and reserves new ones, for many slots in one call. The script begins with
-- args.lua and payload.lua. Before them it has outcome.lua and limit.lua, unless the
-- outcomes are plain and the caller knows no limits: to create their functions takes longer
-- than a job. It ends with exchange_reserve.lua and exchange_end.lua.
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
--          {queue, wait, …}, limits, unparked, uncounted}, without the last four if there
--          is nothing in them
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
--       uncounted the text of an error if a counter could not grow, else it is missing
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
local known_limits = tonumber(ARGV[before_run_ats])
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
