-- Notes which order workers follow, unless they have been given another one since the caller
-- has read their orders.
--
-- KEYS  the hash of the orders
-- ARGV  the order that they follow, then for each worker its id, and its order that the
--       caller has read, '' if it had none
-- returns nothing

for i = 2, #ARGV, 2 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[1])
  end
end
