-- Removes a queue's name from the known queues, if the queue is empty. Workers of
-- all queues would not find a job in a queue that is not known.
--
-- KEYS  the list of the queue, queues
-- ARGV  the name of the queue
-- returns 1 if the queue is not known now, 0 if it is not empty

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('SREM', KEYS[2], ARGV[1])
return 1
