package web

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/internal/backoff"
)

// hub tells open streams which pages have changed. While a stream is open, its run
// reads the state of Resque once a second, for all streams together. Streams are only
// served while it runs.
type hub struct {
	seed     maphash.Seed
	look     func(ctx context.Context) map[string]uint64 // the digest of what each page shows
	every    time.Duration                               // between two looks
	comment  time.Duration                               // a quiet stream gets a comment, so that proxies keep it open
	longest  time.Duration                               // after that a stream ends, and the browser begins another one
	most     int                                         // streams at a time
	newcomer chan struct{}                               // has a value when a stream has begun

	mu       sync.Mutex
	over     chan struct{} // closed when run ends; nil while it does not run
	streams  int
	digests  map[string]uint64
	versions map[string]int // by page; each change adds one
	changed  chan struct{}  // closed and replaced after each look that found a change
}

func newHub(look func(ctx context.Context) map[string]uint64) *hub {
	return &hub{
		seed: maphash.MakeSeed(), look: look, every: time.Second, comment: 15 * time.Second, longest: 5 * time.Minute, most: 1000,
		newcomer: make(chan struct{}, 1), versions: map[string]int{}, changed: make(chan struct{}),
	}
}

// run looks for changes until ctx ends. Then it ends the streams.
func (b *hub) run(ctx context.Context) {
	over := make(chan struct{})
	b.set(over)
	defer func() {
		b.set(nil)
		close(over)
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.newcomer:
		}
		for b.count() > 0 {
			b.note(b.look(ctx))
			if !backoff.Sleep(ctx, b.every) {
				return
			}
		}
	}
}

func (b *hub) set(over chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = over
}

// serves reports whether streams are served.
func (b *hub) serves() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over != nil
}

func (b *hub) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.streams
}

// note compares what a look has found with the look before.
func (b *hub) note(found map[string]uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := false
	for page, digest := range found {
		if old, ok := b.digests[page]; !ok || old != digest {
			b.versions[page]++
			changed = true
		}
	}
	b.digests = found
	if changed {
		close(b.changed)
		b.changed = make(chan struct{})
	}
}

// stream is one open stream. It belongs to the goroutine of its request.
type stream struct {
	hub     *hub
	over    <-chan struct{}
	changed <-chan struct{}
	seen    map[string]int
}

// enter begins a stream. ok is false if there are too many, or if the hub does not run.
func (b *hub) enter() (s *stream, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over == nil || b.streams >= b.most {
		return nil, false
	}
	b.streams++
	select {
	case b.newcomer <- struct{}{}:
	default:
	}
	s = &stream{hub: b, over: b.over, changed: b.changed, seen: map[string]int{}}
	for page, version := range b.versions {
		s.seen[page] = version
	}
	return s, true
}

func (s *stream) leave() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.streams--
}

// news returns the pages that have changed since the last call.
func (s *stream) news() []string {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	var pages []string
	for page, version := range s.hub.versions {
		if s.seen[page] != version {
			s.seen[page] = version
			pages = append(pages, page)
		}
	}
	s.changed = s.hub.changed
	slices.Sort(pages)
	return pages
}

// livePages returns the pages that the hub watches, by the names of their tabs.
func livePages() []string {
	return []string{"overview", "queues", "working", "workers", "failed", "schedule", "delayed", "retry", "batches", "limits", "stats"}
}

// isComplete reports whether a snapshot has everything that a page shows. Other pages
// show more than their digests cover, and are also refreshed at times.
func isComplete(template string) bool { return template == "overview" || template == "queues" }

// pollEvery is the time between two refreshes of an open page that has no stream.
const pollEvery = 5 * time.Second

// streamOf returns the name of a page in the stream, or "" if there is no stream.
func (h *Dashboard) streamOf(tab string) string {
	if slices.Contains(livePages(), tab) && h.hub.serves() {
		return tab
	}
	return ""
}

// digests returns the digest of what a snapshot has for each page. Values that change all
// the time, such as the round trip time and ages, are not part of it.
func (h *Dashboard) digests(ctx context.Context) map[string]uint64 {
	ctx, cancel := context.WithTimeout(ctx, sampleEvery)
	defer cancel()
	snap, err := h.snapshotWithin(ctx, h.hub.every/2)
	d := digester{seed: h.hub.seed, found: make(map[string]uint64, len(livePages()))}
	if err != nil {
		for _, page := range livePages() {
			d.found[page] = 0 // the pages say that Redis is away
		}
		return d.found
	}
	s := *snap.summary
	s.RoundTrip, s.Overdue = 0, 0
	strip := d.sum("%+v %v", s, snap.summary.IsLate())
	queues, limits := d.queues(snap)
	working, workers := d.workers(h, snap)
	failed := d.sum("%v", snap.Failures)
	delayed := d.sum("%d %v %v", snap.Delayed, snap.NextDue, snap.Schedules)
	d.set("overview", strip, queues, working, failed)
	d.set("queues", strip, queues, failed)
	d.set("working", working)
	d.set("workers", workers)
	d.set("failed", failed)
	d.set("schedule", delayed)
	d.set("delayed", delayed)
	d.set("retry", delayed)
	d.set("batches", d.sum("%v %d", snap.Batches, snap.Processed))
	d.set("limits", limits)
	d.set("stats", strip)
	return d.found
}

type digester struct {
	seed  maphash.Seed
	found map[string]uint64
}

func (d digester) sum(format string, args ...any) uint64 {
	return maphash.String(d.seed, fmt.Sprintf(format, args...))
}

func (d digester) set(page string, parts ...uint64) { d.found[page] = d.sum("%x", parts) | 1 } // never 0

func (d digester) queues(snap moment) (queues, limits uint64) {
	var all, limited strings.Builder
	for _, q := range snap.Queues {
		fmt.Fprintf(&all, "%q %d %v %v %d %d\n", q.Queue, q.Size, q.Paused, q.Err, q.NextSize, snap.served[q.Queue])
		if q.Next != nil {
			fmt.Fprintf(&all, "%x\n", maphash.Bytes(d.seed, q.Next.Raw))
		}
		if q.Limit != nil {
			fmt.Fprintf(&limited, "%q %+v\n", q.Queue, *q.Limit)
		}
	}
	limits = maphash.String(d.seed, limited.String())
	return d.sum("%x %x", maphash.String(d.seed, all.String()), limits), limits
}

func (d digester) workers(h *Dashboard, snap moment) (working, workers uint64) {
	var busy, all strings.Builder
	for _, w := range snap.Workers {
		fmt.Fprintf(&all, "%q %v %v %q\n", w.ID, w.Registered, h.isStale(w), w.HeartbeatText)
		if w.Working && w.Job != nil {
			fmt.Fprintf(&busy, "%q %q %x %v\n", w.ID, w.RunAtText, maphash.Bytes(d.seed, w.Job.Raw), h.isStale(w))
		}
	}
	working = maphash.String(d.seed, busy.String())
	return working, d.sum("%x %x", working, maphash.String(d.seed, all.String()))
}
