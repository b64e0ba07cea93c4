package store

import "context"

// WaitingPushes returns how many pushes wait for a round trip.
func WaitingPushes(s *Store) int {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return len(s.pushes.waiting)
}

// PushTrips returns how many round trips of pushes are in progress.
func PushTrips(s *Store) int {
	s.pushes.mu.Lock()
	defer s.pushes.mu.Unlock()
	return s.pushes.trips
}

// Gathered returns how many waiting pushes of these sizes share the round trip that
// the first one leads.
func Gathered(sizes ...int) int {
	var c combiner
	for _, size := range sizes {
		c.waiting = append(c.waiting, &push{ctx: context.Background(), job: Delayed{Payload: make([]byte, size)}})
	}
	lead := c.waiting[0]
	c.waiting = c.waiting[1:]
	return len(c.gather(lead))
}

// limitTestLua is the end of a script that starts up to ARGV[3] jobs by the limit ARGV[2] when the
// clock shows ARGV[1]. It returns how many it starts, and the wait until the next one.
const limitTestLua = `
clock = function() return tonumber(ARGV[1]) end
local limit = parse_limit(ARGV[2], KEYS[1], KEYS[2])
local fault = look_at(limit)
local count = math.min(limit.free, tonumber(ARGV[3]))
for i = 1, count do
  start(limit, ARGV[1] .. ':' .. i, 'guard')
end
fault = save(limit) or fault
redis.call('PERSIST', KEYS[2]) -- ARGV[1] is not Redis's time
return {count, limit.wait, fault or ''}`

// LimitScript returns the text of that script.
func LimitScript() string { return argsLua + outcomeLua + limitLua + limitTestLua }

// SkipUsual makes a store run only exchange.lua.
func SkipUsual(s *Store) { s.unusual.Store(1 << 60) }

// TryUsual makes a store try exchange_usual.lua in the next call.
func TryUsual(s *Store) { s.unusual.Store(0) }
