package resque

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Window is a time up to now, of which Redis keeps metrics. Workers with the setting
// Metrics and dashboards with KeepHistory write them.
type Window string

// The windows.
const (
	LastHour     Window = "1h"
	LastDay      Window = "24h"
	LastWeek     Window = "7d"
	LastHalfYear Window = "180d"
)

// Windows returns all windows, the shortest first.
func Windows() []Window { return []Window{LastHour, LastDay, LastWeek, LastHalfYear} }

// Length returns how far back w reaches, or 0 if w is not one of the constants.
func (w Window) Length() time.Duration {
	switch w {
	case LastHour:
		return time.Hour
	case LastDay:
		return 24 * time.Hour
	case LastWeek:
		return 7 * 24 * time.Hour
	case LastHalfYear:
		return 180 * 24 * time.Hour
	}
	return 0
}

func (w Window) stored() (store.MetricsWindow, error) {
	i := slices.Index(Windows(), w)
	if i < 0 {
		return 0, fmt.Errorf("resque: unknown window %q; use 1h, 24h, 7d or 180d", string(w))
	}
	return store.MetricsWindow(i), nil
}

// ClassTimes is how long the jobs of a class took.
type ClassTimes struct {
	Class        string // that of a Rails job, not its wrapper's
	Jobs, Failed int64  // Failed is how many of Jobs failed, also if they were retried
	Total        time.Duration
	P50, P95     time.Duration // estimated from the buckets; see ClassTimes.Buckets

	// Buckets has the number of jobs by duration: first those below 1 ms, then those
	// below 2 ms, 4 ms and so on. The last one has all that are longer.
	Buckets []int64
}

// Mean returns the mean duration, or 0 if there are no jobs.
func (c ClassTimes) Mean() time.Duration {
	if c.Jobs == 0 {
		return 0
	}
	return c.Total / time.Duration(c.Jobs)
}

// ClassTimes returns how long jobs took, by class, the class with the longest total
// first. It knows the jobs that Go workers with the setting Metrics have performed. The
// window ends with the current minute, hour or day, which is not over yet.
func (c *Client) ClassTimes(ctx context.Context, w Window) ([]ClassTimes, error) {
	window, err := w.stored()
	if err != nil {
		return nil, err
	}
	measured, err := c.store.ClassMetrics(ctx, window)
	if err != nil {
		return nil, err
	}
	all := make([]ClassTimes, 0, len(measured))
	for class, m := range measured {
		all = append(all, ClassTimes{
			Class: class, Jobs: m.Jobs, Failed: m.Failed, Total: m.Total,
			P50: percentile(m.Buckets[:], .5), P95: percentile(m.Buckets[:], .95), Buckets: m.Buckets[:],
		})
	}
	slices.SortFunc(all, func(a, b ClassTimes) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Class, b.Class))
	})
	return all, nil
}

// percentile estimates the duration that a part of the jobs did not exceed. It assumes
// that the jobs of a bucket are spread evenly.
func percentile(buckets []int64, part float64) time.Duration {
	all := int64(0)
	for _, n := range buckets {
		all += max(n, 0)
	}
	if all == 0 {
		return 0
	}
	rank := part * float64(all)
	for i, n := range buckets {
		if n > 0 && (rank <= float64(n) || i == len(buckets)-1) {
			low, high := 0.0, math.Exp2(float64(i)) // in ms
			if i > 0 {
				low = high / 2
			}
			return time.Duration((low + (high-low)*min(rank/float64(n), 1)) * float64(time.Millisecond))
		}
		rank -= float64(max(n, 0))
	}
	return 0
}

// Counters are the counters of processed and failed jobs at a time. They grow until a
// person clears them.
type Counters struct {
	At                time.Time
	Processed, Failed int64
}

// History returns the counters as they were in a window, the oldest first: about one for
// each minute of LastHour, each 10 minutes of LastDay, each hour of LastWeek, and each day
// of LastHalfYear. Times at which nothing kept them are missing.
func (c *Client) History(ctx context.Context, w Window) ([]Counters, error) {
	window, err := w.stored()
	if err != nil {
		return nil, err
	}
	kept, err := c.store.CountersIn(ctx, window)
	if err != nil {
		return nil, err
	}
	all := make([]Counters, len(kept))
	for i, k := range kept {
		all[i] = Counters(k)
	}
	return all, nil
}

// KeepCounters keeps the counters of processed and failed jobs for History, unless
// another process has kept them in this minute. Call it every 10 seconds or so. Workers
// with the setting Metrics do this themselves.
func (c *Client) KeepCounters(ctx context.Context) error { return c.store.AddMetrics(ctx, nil) }
