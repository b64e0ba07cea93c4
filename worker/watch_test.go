package worker

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// simulated is a worker in a simulation.
type simulated struct {
	id        string
	intervals store.Intervals
	published bool
	connected bool
	died      time.Duration // when it stops sending heartbeats; 0 if it never does

	next time.Duration // when it sends a heartbeat
	beat string
}

// simulation is a fleet of workers, a Redis with a clock, and a watch that looks at them.
// Its time is what has passed since the start.
type simulation struct {
	random    *rand.Rand
	now       time.Duration
	clock     func(now time.Duration) time.Duration // how wrong Redis's clock is
	away      func(now time.Duration) bool
	refuses   func(now time.Duration) bool // it refuses writes only
	unknown   bool                         // it refuses to list connections
	workers   []*simulated
	watch     watch
	nextSweep time.Duration
	begun     time.Time
	dead      map[string]time.Duration // when a worker was found dead first
}

func simulatedStart() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) }

func (s *simulation) redisTime() time.Time {
	return simulatedStart().Add(s.now + s.clock(s.now))
}

func (s *simulation) below(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

func never(time.Duration) bool { return false }

func between(from, to time.Duration) func(time.Duration) bool {
	return func(now time.Duration) bool { return now >= from && now < to }
}

// run simulates until the time end.
func (s *simulation) run(end time.Duration) {
	own := s.watch.own.Heartbeat
	if s.clock == nil {
		s.clock = func(time.Duration) time.Duration { return 0 }
	}
	if s.away == nil {
		s.away = never
	}
	if s.refuses == nil {
		s.refuses = never
	}
	s.begun, s.dead = time.Now(), map[string]time.Duration{}
	for _, w := range s.workers {
		w.next = s.below(w.intervals.Heartbeat)
		w.beat = wire.FormatHeartbeat(s.redisTime().Add(w.next - w.intervals.Heartbeat))
	}
	for ; s.now < end; s.now += own / 60 {
		for _, w := range s.workers {
			s.step(w)
		}
		if s.now >= s.nextSweep {
			s.sweep()
			s.nextSweep = s.now + own/4 + s.below(own/4)
		}
	}
}

// step lets a worker send its heartbeat as registry.beat does.
func (s *simulation) step(w *simulated) {
	switch {
	case s.now < w.next || w.died > 0 && s.now >= w.died:
	case s.away(s.now) || s.refuses(s.now):
		w.next = s.now + s.below(w.intervals.Heartbeat/4)
	default:
		w.beat, w.next = wire.FormatHeartbeat(s.redisTime()), s.now+w.intervals.Heartbeat
	}
}

func (s *simulation) sweep() {
	if s.away(s.now) || s.refuses(s.now) {
		s.watch.restart()
		return
	}
	at := s.begun.Add(s.now)
	seen := sight{asked: at, answered: at, Observation: store.Observation{
		Now: s.redisTime(), Beats: map[string]string{}, Intervals: map[string]store.Intervals{},
	}}
	open := map[string]bool{}
	for _, w := range s.workers {
		seen.Beats[w.id] = w.beat
		if w.published {
			seen.Intervals[w.id] = w.intervals
		}
		process, _ := processOf(w.id)
		open[process] = w.connected && (w.died == 0 || s.now < w.died)
	}
	s.watch.see(seen)
	for _, id := range s.watch.dead(s.watch.silent(), func(process string) bool { return open[process] }, !s.unknown) {
		if _, ok := s.dead[id]; !ok {
			s.dead[id] = s.now
		}
	}
}

// eightSlots are the slots of four live processes.
func eightSlots(i store.Intervals, published, connected bool) []*simulated {
	var all []*simulated
	for n := range 8 {
		all = append(all, &simulated{
			id: fmt.Sprintf("web~go:%d-%d:exports", n/2+1, n%2+1), intervals: i, published: published, connected: connected,
		})
	}
	return all
}

// Live workers are not taken for dead, whatever happens to Redis and its clock.
func TestWatchFindsNoLiveWorkerDead(t *testing.T) {
	t.Parallel()
	usual := store.DefaultIntervals()
	short := store.Intervals{Heartbeat: 10 * time.Second, Prune: 30 * time.Second}
	tests := map[string]struct {
		own     store.Intervals
		redis   simulation
		workers func(connected bool) []*simulated
	}{
		"the clock jumps forward": {own: usual, redis: simulation{clock: func(now time.Duration) time.Duration {
			if now > 10*time.Minute {
				return 400 * time.Second
			}
			return 0
		}}},
		"the clock jumps back": {own: usual, redis: simulation{clock: func(now time.Duration) time.Duration {
			if now > 10*time.Minute {
				return -400 * time.Second
			}
			return 0
		}}},
		"the clock jumps back by one interval": {own: usual, redis: simulation{clock: func(now time.Duration) time.Duration {
			return -now.Truncate(7*time.Minute) / (7 * time.Minute) * time.Minute
		}}},
		"redis is away for longer than the prune interval": {own: usual, redis: simulation{away: between(10*time.Minute, 21*time.Minute)}},
		"redis refuses writes for as long":                 {own: usual, redis: simulation{refuses: between(10*time.Minute, 21*time.Minute)}},
		"redis is away and its clock jumps": {own: usual, redis: simulation{
			away:  between(10*time.Minute, 12*time.Minute),
			clock: func(now time.Duration) time.Duration { return now.Truncate(10 * time.Minute) },
		}},
		"the workers have longer intervals":  {own: short, workers: func(c bool) []*simulated { return eightSlots(usual, false, c) }},
		"the workers have shorter intervals": {own: usual, workers: func(c bool) []*simulated { return eightSlots(short, true, c) }},
		"the workers have published longer intervals": {own: usual, workers: func(c bool) []*simulated {
			return eightSlots(store.Intervals{Heartbeat: 10 * time.Minute, Prune: 11 * time.Minute}, true, c)
		}},
		"a prune interval close to the heartbeat interval": {own: store.Intervals{Heartbeat: time.Minute, Prune: 61 * time.Second}},
		"Ruby's workers beside two fleets": {own: short, workers: func(c bool) []*simulated {
			ruby := &simulated{id: "ruby:1:exports", intervals: usual}
			return append(eightSlots(usual, false, c), ruby)
		}},
	}
	for name, test := range tests {
		for _, connection := range []string{"connected", "not connected", "unknown"} {
			t.Run(name+", "+connection, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(20) {
					s := test.redis
					s.random, s.watch.own, s.unknown = rand.New(rand.NewPCG(seed, 1)), test.own, connection == "unknown"
					s.workers = eightSlots(test.own, test.own != usual, connection == "connected")
					if test.workers != nil {
						s.workers = test.workers(connection == "connected")
					}
					s.run(45 * time.Minute)
					require.Empty(t, s.dead, "seed %d", seed)
				}
			})
		}
	}
}

// Outages that fall between two sweeps are not seen. They are covered by what is known of
// live workers.
func TestWatchFindsNoLiveWorkerDeadDuringManyShortOutages(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 2))
		var outages []func(time.Duration) bool
		for at := time.Duration(0); at < time.Hour; {
			at += time.Duration(random.Int64N(int64(2 * time.Minute)))
			lasts := time.Duration(random.Int64N(int64(2 * time.Minute)))
			outages = append(outages, between(at, at+lasts))
			at += lasts
		}
		s := simulation{random: random, watch: watch{own: store.DefaultIntervals()}, workers: eightSlots(store.DefaultIntervals(), false, false)}
		s.refuses = func(now time.Duration) bool {
			for _, outage := range outages {
				if outage(now) {
					return true
				}
			}
			return false
		}
		s.run(time.Hour)
		require.Empty(t, s.dead, "seed %d", seed)
	}
}

// Dead workers are found in time.
func TestWatchFindsDeadWorkersInTime(t *testing.T) {
	t.Parallel()
	usual := store.DefaultIntervals()
	sweep := usual.Heartbeat/2 + 2*time.Second
	for name, test := range map[string]struct {
		worker         simulated
		unknown        bool
		least, longest time.Duration // after its death
	}{
		"a Go worker":                          {worker: simulated{id: "web~go:1:exports", connected: true}, least: time.Minute, longest: 2*time.Minute + 2*sweep},
		"a Go worker, connections are unknown": {worker: simulated{id: "web~go:1:exports"}, unknown: true, least: 4 * time.Minute, longest: 5*time.Minute + 2*sweep},
		"a Ruby worker":                        {worker: simulated{id: "ruby:1:exports"}, least: 4 * time.Minute, longest: 5*time.Minute + 2*sweep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(50) {
				w := test.worker
				w.intervals, w.died = usual, 10*time.Minute
				s := simulation{random: rand.New(rand.NewPCG(seed, 3)), watch: watch{own: usual}, unknown: test.unknown}
				s.workers = append(eightSlots(usual, false, true)[2:], &w)
				s.run(20 * time.Minute)
				require.Len(t, s.dead, 1, "seed %d", seed)
				took := s.dead[w.id] - w.died
				require.GreaterOrEqual(t, took, test.least)
				require.LessOrEqual(t, took, test.longest)
			}
		})
	}
}

// looks sees the same heartbeats every 20 seconds for d, and returns the ids that are
// silent then.
func looks(w *watch, at *time.Time, d time.Duration, seen store.Observation) []string {
	for end := at.Add(d); !at.After(end); *at = at.Add(20 * time.Second) {
		w.see(sight{Observation: seen, asked: *at, answered: *at})
	}
	return w.silent()
}

// The whole fleet was down over night: two heartbeat intervals are enough for all.
func TestWatchFindsWorkersThatWereDeadBefore(t *testing.T) {
	t.Parallel()
	w := watch{own: store.DefaultIntervals()}
	at := time.Now()
	seen := store.Observation{Now: simulatedStart(), Beats: map[string]string{
		"web~go:1:exports": wire.FormatHeartbeat(simulatedStart().Add(-12 * time.Hour)),
		"ruby:1:exports":   wire.FormatHeartbeat(simulatedStart().Add(-12 * time.Hour)),
		"ruby:2:exports":   wire.FormatHeartbeat(simulatedStart().Add(-4 * time.Minute)),
		"odd:3:exports":    "yesterday",
	}}
	assert.Empty(t, looks(&w, &at, 2*time.Minute-20*time.Second, seen))
	assert.Equal(t, []string{"ruby:1:exports", "web~go:1:exports"}, looks(&w, &at, 40*time.Second, seen))
	assert.Equal(t, []string{"odd:3:exports", "ruby:1:exports", "ruby:2:exports", "web~go:1:exports"}, looks(&w, &at, 3*time.Minute, seen))
}

// The intervals of a sweeper with short ones are not those of Ruby's workers: a jump of
// the clock makes their heartbeats old, and they send one each minute only.
func TestWatchWaitsForRubysHeartbeats(t *testing.T) {
	t.Parallel()
	w := watch{own: store.Intervals{Heartbeat: 30 * time.Second, Prune: 5 * time.Minute}}
	at := time.Now()
	seen := store.Observation{Now: simulatedStart(), Beats: map[string]string{
		"ruby:1:exports": wire.FormatHeartbeat(simulatedStart().Add(-400 * time.Second)),
	}}
	assert.Empty(t, looks(&w, &at, 2*time.Minute, seen))
	assert.NotEmpty(t, looks(&w, &at, 20*time.Second, seen))
}

func TestWatchBeginsAgain(t *testing.T) {
	t.Parallel()
	seen := store.Observation{Now: simulatedStart(), Beats: map[string]string{"web~go:1:exports": wire.FormatHeartbeat(simulatedStart())}}
	for name, interrupt := range map[string]func(w *watch, at *time.Time){
		"after a failed sweep": func(w *watch, _ *time.Time) { w.restart() },
		"after a gap":          func(_ *watch, at *time.Time) { *at = at.Add(46 * time.Second) },
		"after a sweep that was held": func(w *watch, at *time.Time) {
			w.see(sight{Observation: seen, asked: *at, answered: at.Add(10 * time.Minute)})
			*at = at.Add(10 * time.Minute)
		},
		"with another heartbeat": func(w *watch, at *time.Time) {
			other := store.Observation{Now: simulatedStart(), Beats: map[string]string{"web~go:1:exports": wire.FormatHeartbeat(simulatedStart().Add(time.Second))}}
			w.see(sight{Observation: other, asked: *at, answered: *at})
		},
		"when it was connected": func(w *watch, _ *time.Time) {
			id := []string{"web~go:1:exports"}
			assert.Empty(t, w.dead(id, func(string) bool { return true }, true))
		},
		"when it was gone": func(w *watch, at *time.Time) { w.see(sight{asked: *at, answered: *at}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, at := watch{own: store.DefaultIntervals()}, time.Now()
			assert.Empty(t, looks(&w, &at, 2*time.Minute, seen))
			interrupt(&w, &at)
			assert.Empty(t, looks(&w, &at, 2*time.Minute, seen))
			assert.Len(t, looks(&w, &at, time.Minute, seen), 1)
		})
	}
}

func TestWatchNamesGoWorkersThatAreLate(t *testing.T) {
	t.Parallel()
	w, at := watch{own: store.DefaultIntervals()}, time.Now()
	seen := store.Observation{Now: simulatedStart(), Beats: map[string]string{
		"web~go:1:exports": wire.FormatHeartbeat(simulatedStart()),
		"web~go:2:exports": wire.FormatHeartbeat(simulatedStart().Add(-2 * time.Minute)),
		"ruby:1:exports":   wire.FormatHeartbeat(simulatedStart().Add(-time.Hour)),
	}}
	looks(&w, &at, 0, seen)
	assert.Equal(t, []string{"web~go:2:exports"}, w.late(), "as soon as it is seen")
	looks(&w, &at, time.Minute, seen)
	assert.Equal(t, []string{"web~go:1:exports", "web~go:2:exports"}, w.late())
}
