-- Delays jobs until their seconds. A job whose second has come goes to its queue
-- instead. Redis's clock decides.
--
-- KEYS  delayed_queue_schedule, queues,
--       then for each job the list of its second, the set of the lists that its
--       payload is in, and the list of its queue
-- ARGV  the length of the keys of those sets before the payload,
--       then for each job:
--         its second,
--         the name of the list of its second, without the namespace,
--         the name of its queue,
--         the first and the last byte of the payload, counted from 1, that are not
--         part of the job in its queue
-- returns for each job 1 if it is delayed, 0 if it is in its queue, or the text of an
--         error: then it is neither
--
-- The payload is sent once, at the end of the set's key. The set and the sorted set
-- are written before the list, so that an error between them leaves no job that
-- cannot be found.

-- This script has no functions, because defining one takes as long as a command.

local call, schedule, queues = redis.pcall, KEYS[1], KEYS[2]
local prefix, now = tonumber(ARGV[1]), tonumber(call('TIME')[1])
local statuses = {}

-- The seconds and queues that were added for earlier jobs.
local scheduled, known = {}, {}

for i = 1, (#KEYS - 2) / 3 do
  local list, locations, at = KEYS[3 * i], KEYS[3 * i + 1], 5 * i - 3
  local second, payload = ARGV[at], locations:sub(prefix + 1)
  local reply
  if tonumber(second) > now then
    reply = scheduled[second] or call('ZADD', schedule, second, second)
    if type(reply) == 'number' then
      scheduled[second] = reply
      local added = call('SADD', locations, ARGV[at + 1])
      reply = added
      if type(added) == 'number' then
        reply = call('RPUSH', list, payload)
        if type(reply) ~= 'number' and added == 1 then
          call('SREM', locations, ARGV[at + 1])
        end
      end
    end
    statuses[i] = type(reply) == 'number' and 1 or reply.err
  else
    local queue = ARGV[at + 2]
    reply = known[queue] or call('SADD', queues, queue)
    if type(reply) == 'number' then
      known[queue] = reply
      payload = payload:sub(1, tonumber(ARGV[at + 3]) - 1) .. payload:sub(tonumber(ARGV[at + 4]) + 1)
      reply = call('RPUSH', KEYS[3 * i + 2], payload)
    end
    statuses[i] = type(reply) == 'number' and 0 or reply.err
  end
end
return statuses
