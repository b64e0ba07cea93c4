-- Gives numbers to new members of a batch, and creates the batch if it does not exist.
--
-- KEYS  the batch, goresque:batches
-- ARGV  how many numbers,
--       the id of the batch,
--       the fields and values of a new batch, nothing if it must exist
-- returns the first number, or -1 if the batch does not exist

if redis.call('EXISTS', KEYS[1]) == 0 then
  if #ARGV == 2 then
    return -1
  end
  local now = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'created', now[1] .. ('%03d'):format(math.floor(now[2] / 1000)),
    'next', 0, 'total', 0, 'pending', 0, 'failed', 0, unpack(ARGV, 3))
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now[1] .. '000')
  redis.call('ZADD', KEYS[2], '+inf', ARGV[2])
end
return redis.call('HINCRBY', KEYS[1], 'next', ARGV[1]) - ARGV[1]
