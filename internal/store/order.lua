-- Gives an order to a worker that takes orders.
--
-- KEYS  the hash of the orders
-- ARGV  the worker id, the order
-- returns 1 if the order is noted, 0 if the worker takes no orders

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
