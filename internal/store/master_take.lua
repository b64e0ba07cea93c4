-- Takes the lock of the master, or renews it if the caller holds it. Returns what is due
-- to the master.
--
-- KEYS  the lock, the hash that describes the master, delayed_queue_schedule
-- ARGV  the caller's token,
--       how long the lock is held in ms,
--       the largest number of due seconds to return
-- returns the token of the master,
--         Redis's time: the seconds and the microseconds,
--         1 if the lock was free and the caller took it, otherwise 0;
--         to the master also
--         the score of the first second that is not due, '' if there is none,
--         the due seconds, oldest first

local lock, status, schedule = KEYS[1], KEYS[2], KEYS[3]
local token, ttl, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])

local now = redis.call('TIME')
local holder = redis.call('GET', lock)
local taken = 0
if holder == token then
  redis.call('PEXPIRE', lock, ttl)
elseif holder then
  return {holder, now[1], now[2], taken}
else
  redis.call('SET', lock, token, 'NX', 'PX', ttl)
  taken = 1
  redis.call('DEL', status)
  redis.call('HSET', status, 'master', token, 'since', now[1] .. '.' .. ('%06d'):format(now[2]), 'moved', 0)
end
redis.call('PEXPIRE', status, ttl)

local due = redis.call('ZRANGEBYSCORE', schedule, '-inf', now[1], 'LIMIT', 0, limit)
local after = redis.call('ZRANGEBYSCORE', schedule, '(' .. now[1], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {token, now[1], now[2], taken, after[2] or '', due}
