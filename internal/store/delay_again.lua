-- Removes all copies of a delayed job, and then pushes or delays it again. The caller
-- has read the lists that the job is in.
--
-- KEYS  the set of the lists that the payload is in, delayed_queue_schedule, queues,
--       the list of the job's queue, the list of the new second,
--       then each list that the job is in
-- ARGV  the length of the set's key before the payload,
--       what to do with the job: remove, push (each copy to the queue) or delay (each
--       copy, or one if there is none),
--       the name of the queue,
--       the first and the last byte of the payload, counted from 1, that are not part
--       of the job in its queue,
--       the new second, and the name of its list without the namespace,
--       how many members the set has,
--       then the name of each list that the job is in
-- returns {the number of copies that were removed, how many were pushed, how many were
--         delayed}, or nothing if the job is in other lists now: then nothing was done

local locations, schedule, queues, queue_list, new_list = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local payload = locations:sub(tonumber(ARGV[1]) + 1)
local what, queue, second, new_name = ARGV[2], ARGV[3], ARGV[6], ARGV[7]
local lists = #KEYS - 5

for i = 1, lists do
  if redis.call('SISMEMBER', locations, ARGV[8 + i]) == 0 then
    return {}
  end
end
if what ~= 'remove' and redis.call('SCARD', locations) ~= tonumber(ARGV[8]) then
  return {}
end
-- A key of another type raises an error here, before anything is written.
redis.call('ZCARD', schedule)
redis.call('SCARD', queues)
for i = 4, #KEYS do
  redis.call('LLEN', KEYS[i])
end

if what == 'delay' and tonumber(second) <= tonumber(redis.call('TIME')[1]) then
  what = 'push at least one'
end

local removed = 0
for i = 1, lists do
  removed = removed + redis.call('LREM', KEYS[5 + i], 0, payload)
  redis.call('SREM', locations, ARGV[8 + i])
end

if what == 'remove' then
  return {removed, 0, 0}
end
if what == 'delay' then
  local copies = math.max(removed, 1)
  redis.call('ZADD', schedule, second, second)
  redis.call('SADD', locations, new_name)
  for _ = 1, copies do
    redis.call('RPUSH', new_list, payload)
  end
  return {removed, 0, copies}
end
local copies = what == 'push' and removed or math.max(removed, 1)
if copies > 0 then
  redis.call('SADD', queues, queue)
  local job = payload:sub(1, tonumber(ARGV[4]) - 1) .. payload:sub(tonumber(ARGV[5]) + 1)
  for _ = 1, copies do
    redis.call('RPUSH', queue_list, job)
  end
end
return {removed, copies, 0}
