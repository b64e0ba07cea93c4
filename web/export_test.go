package web

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/goresque/goresque/resque"
)

// Forget discards the snapshot.
func Forget(h *Dashboard) { h.forget() }

// Age makes the last snapshot older.
func Age(h *Dashboard, by time.Duration) {
	h.snapshots.mu.Lock()
	defer h.snapshots.mu.Unlock()
	h.snapshots.taken = h.snapshots.taken.Add(-by)
}

// AgeSamples makes the samples of rates older.
func AgeSamples(h *Dashboard, by time.Duration) {
	h.rates.mu.Lock()
	defer h.rates.mu.Unlock()
	for i := range h.rates.samples {
		h.rates.samples[i].at = h.rates.samples[i].at.Add(-by)
	}
}

// Samples returns the number of samples of rates.
func Samples(h *Dashboard) int {
	h.rates.mu.Lock()
	defer h.rates.mu.Unlock()
	return len(h.rates.samples)
}

// SampleEvery sets how often Run reads the state of Resque.
func SampleEvery(h *Dashboard, every time.Duration) { h.sampleEvery = every }

// Quickly sets how long an action waits for its operation before it shows its page.
func Quickly(h *Dashboard, within time.Duration) { h.budgets.action = within }

// Patiently makes a dashboard wait for long, so that a slow machine shows what a fast one
// does.
func Patiently(h *Dashboard, within time.Duration) {
	h.budgets = budgets{
		action: within, scan: within, part: within, count: within, number: within, probe: within, snapshot: h.budgets.snapshot,
		report: h.budgets.report, checks: within,
	}
}

// Impatiently undoes Patiently, so that a benchmark measures what a user waits.
func Impatiently(h *Dashboard) { h.budgets = standardBudgets() }

// Share sets for how long requests share a snapshot.
func Share(h *Dashboard, within time.Duration) { h.budgets.snapshot = within }

// Measured gives a dashboard ten minutes of rates, for pictures.
func Measured(h *Dashboard, now time.Time, random *rand.Rand) {
	rises := make([]int64, 180) // up to the counter that fill sets
	processed, failed, size := int64(1_283_402), int64(2_917-180), int64(900)
	for i := range rises {
		rises[i] = random.Int64N(25) + 24
		processed -= rises[i]
	}
	h.rates.mu.Lock()
	h.rates.samples, h.rates.sizes, h.rates.sized = nil, nil, time.Time{} // those of earlier pages are newer
	h.rates.mu.Unlock()
	step := 0
	for at := now.Add(-30 * time.Minute); at.Before(now); at = at.Add(10 * time.Second) {
		processed += rises[min(step, len(rises)-1)]
		step++
		failed += random.Int64N(3)
		size = max(0, size+random.Int64N(41)-20)
		snap := resque.Snapshot{Now: at, Processed: processed, Failed: failed}
		sizes := []int64{17, 342, 1204, 58, 5120}
		for i, name := range []string{"archive", "exports", "images", "mailers", "search_index"} {
			snap.Queues = append(snap.Queues, resque.QueueState{Queue: name, Size: max(0, sizes[i]+size/8+random.Int64N(20)-112)})
		}
		h.rates.sample(snap)
	}
}

// KeepReports sets how old a report of doctor may be that a page shows.
func KeepReports(h *Dashboard, age time.Duration) { h.budgets.report = age }

// Streams returns the number of open streams.
func Streams(h *Dashboard) int { return h.hub.count() }

// LookEvery sets how often the dashboard looks for changes while streams are open.
func LookEvery(h *Dashboard, every time.Duration) { h.hub.every = every }

// CountLooks counts the looks for changes.
func CountLooks(h *Dashboard, looks *atomic.Int64) {
	look := h.hub.look
	h.hub.look = func(ctx context.Context) map[string]uint64 {
		defer looks.Add(1)
		return look(ctx)
	}
}

// Comments sets after which time a quiet stream gets a comment.
func Comments(h *Dashboard, after time.Duration) { h.hub.comment = after }

// Serves reports whether the dashboard serves streams.
func Serves(h *Dashboard) bool { return h.hub.serves() }

// The texts of durations and of parts.
var (
	Took    = tookText    //nolint:gochecknoglobals // a function
	Percent = percentText //nolint:gochecknoglobals // as above
)

// Pages parses the templates of all languages. It returns how many there are.
func Pages(h *Dashboard) (n int, err error) {
	for _, lang := range h.languages.all {
		for _, parse := range lang.pages {
			if _, err := parse(); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}
