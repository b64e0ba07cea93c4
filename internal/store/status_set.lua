-- Merges members into the status of a running job.
--
-- KEYS  the status, the set of the jobs to kill
-- ARGV  the uuid, after how many milliseconds the status expires, or 0,
--       the status if there is none, then the names of members and their values as JSON
-- returns 1 if the job is to be killed, else 0. If the status says that the job has ended,
--         it is not changed: the job runs although its worker was taken for dead

local text, status = status_of(KEYS[1], ARGV[3])
if type(text) == 'table' then
  return text
end
if status == 'working' or status == 'queued' then
  local reply = set_status(KEYS[1], merged(text, ARGV, 4), ARGV[2])
  if reply.err then
    return reply
  end
end
return redis.call('SISMEMBER', KEYS[2], ARGV[1])
