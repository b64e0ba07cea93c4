-- Moves a delayed job that waited for a limit to the front of its queue.
--
-- KEYS  the notes of the limit, the list of the job's second, delayed_queue_schedule, the
--       set of the lists that the job is in, queues, the list of its queue
-- ARGV  the note, the job as it is delayed, its second, the name of the list of its second,
--       its queue, the job as it is in its queue
-- returns 1 if it is moved, 0 if it is gone or another process has moved it

-- A key of another type raises an error here, before anything is written.
redis.call('ZCARD', KEYS[3])
redis.call('SCARD', KEYS[4])
redis.call('SCARD', KEYS[5])
redis.call('LLEN', KEYS[6])
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 or redis.call('LREM', KEYS[2], 1, ARGV[2]) == 0 then
  return 0
end
if not redis.call('LPOS', KEYS[2], ARGV[2]) then -- else an equal job is left in the list
  redis.call('SREM', KEYS[4], ARGV[4])
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[3])
end
redis.call('SADD', KEYS[5], ARGV[5])
redis.call('LPUSH', KEYS[6], ARGV[6])
return 1
