-- Notes that a running job is to be canceled, for the process of its worker.
--
-- KEYS  the record of the worker, the hash of jobs to cancel
-- ARGV  the worker id, the beginning of the record, after how many milliseconds the hash
--       may expire
-- returns 1 if it is noted, 0 if the worker no longer performs that job

if redis.call('GETRANGE', KEYS[1], 0, #ARGV[2] - 1) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
