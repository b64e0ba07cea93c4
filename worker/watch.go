package worker

import (
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// watch decides which workers are dead, by what a sweeper has seen itself. It never
// compares a heartbeat with a clock: Redis's clock may jump, and after an outage all
// heartbeats are old.
//
// A worker is silent while the text of its heartbeat stays the same. It is dead if it was
// silent for long enough (see limits) while Redis answered and took writes the whole time,
// unless it is a Go worker whose named connection is open. What "the whole time" means: a
// live worker sends a heartbeat after each interval. If Redis is away at that moment, the
// worker tries again at least every quarter of an interval (see registry.beat). So if the
// sweeps that saw the silence were at most three quarters of an interval apart, and Redis
// took a write in each but the first, a live worker is silent for less than two intervals.
//
// A watch is not safe for concurrent use.
type watch struct {
	own     store.Intervals // of the sweeper
	last    sight           // of the last sweep; zero if there was none or the watch begins again
	prune   time.Duration   // the longest prune interval of any Go worker
	workers map[string]silence
}

// silence is the silence of one worker.
type silence struct {
	beat  string
	since time.Time     // when the sweeper first saw beat
	age   time.Duration // of beat at that time, by Redis's clock; 0 if unknown
}

// sight is what a successful sweep has seen: Redis took a write, and then answered.
type sight struct {
	store.Observation
	asked, answered time.Time // when the sweep began to ask, and when it had the answers
}

// restart forgets all silences.
func (w *watch) restart() { w.last, w.workers = sight{}, nil }

// see adds what a successful sweep has seen. It begins again if the last sweep is too
// long ago, because Redis may have been away in the meantime. It returns the ids whose
// heartbeats are new and are not times.
func (w *watch) see(s sight) (unreadable []string) {
	if w.last.asked.IsZero() || s.answered.Sub(w.last.asked) > w.own.Heartbeat*3/4 {
		w.workers = nil
	}
	w.last, w.prune = s, w.own.Prune
	seen := make(map[string]silence, len(s.Beats))
	for id, beat := range s.Beats {
		if _, ok := processOf(id); ok {
			w.prune = max(w.prune, w.intervals(id).Prune)
		}
		if old, ok := w.workers[id]; ok && old.beat == beat {
			seen[id] = old
			continue
		}
		heard, err := wire.ParseTime(beat)
		began := silence{beat: beat, since: s.answered}
		if err == nil {
			began.age = s.Now.Sub(heard.Time)
		} else {
			unreadable = append(unreadable, id)
		}
		seen[id] = began
	}
	w.workers = seen
	return unreadable
}

// silent returns the workers that were silent for long enough. The Go workers among them
// are dead only if their connections are closed: the caller asks for those connections.
func (w *watch) silent() []string {
	var ids []string
	for id, s := range w.workers {
		_, isGo := processOf(id)
		unconnected, unknown := w.limits(id)
		if (isGo && w.length(s) >= unconnected) || w.length(s) >= unknown {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// dead returns those of the silent workers that are dead. known is false if Redis refuses
// to list its connections. For a worker that is connected, the watch begins again.
func (w *watch) dead(silent []string, connected func(process string) bool, known bool) []string {
	var dead []string
	for _, id := range silent {
		process, isGo := processOf(id)
		_, unknown := w.limits(id)
		switch {
		case isGo && known && connected(process):
			delete(w.workers, id)
		case isGo && known, w.length(w.workers[id]) >= unknown:
			dead = append(dead, id)
		}
	}
	return dead
}

// late returns the Go workers that have missed a heartbeat, as far as Redis's clock can be
// trusted. They may be alive.
func (w *watch) late() []string {
	var ids []string
	for id, s := range w.workers {
		if _, ok := processOf(id); ok && s.age+w.length(s) > w.intervals(id).Heartbeat {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// beatResolution is the resolution of the text of a heartbeat: a worker that sends several
// within a second seems to be silent.
const beatResolution = time.Second

// limits returns how long a worker must be silent: unconnected if its connection is known
// to be closed, unknown if nothing is known of its connection, as of all workers of other
// implementations. Those have the prune interval, unless their heartbeat was older than
// that, by Redis's clock, when the watch began: then all workers may have been down, over
// night, and two heartbeat intervals are enough.
func (w *watch) limits(id string) (unconnected, unknown time.Duration) {
	i := w.intervals(id)
	prune, least := w.prune, 2*w.own.Heartbeat+beatResolution
	unconnected = 2*i.Heartbeat + beatResolution
	if _, ok := processOf(id); ok {
		prune, least = i.Prune, unconnected
	}
	unknown = max(prune, least)
	if w.workers[id].age > prune {
		unknown = min(unknown, unconnected)
	}
	return unconnected, unknown
}

// intervals returns the longer intervals of a worker and of the sweeper. A worker that has
// published none has the default ones, as far as is known.
func (w *watch) intervals(id string) store.Intervals {
	published, ok := w.last.Intervals[id]
	if !ok {
		published = store.DefaultIntervals()
	}
	return published.Longer(w.own)
}

// length returns how long a silence has lasted for certain.
func (w *watch) length(s silence) time.Duration { return w.last.asked.Sub(s.since) }
