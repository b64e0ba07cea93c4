package top

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/goresque/goresque/resque"
)

// rates keeps past values of the counters, to compute how fast they grow. It is a value:
// add returns a new one.
type rates struct{ samples []sample }

type sample struct {
	at                time.Time
	processed, failed int64
}

const (
	samplesAtMost = 200
	rateWindow    = 10 * time.Second
)

// add adds the counters of a snapshot. It begins again if they were cleared.
func (r rates) add(snap resque.Snapshot) rates {
	next := sample{snap.Now, snap.Processed, snap.Failed}
	kept := r.samples
	if n := len(kept); n > 0 {
		last := kept[n-1]
		switch {
		case next.processed < last.processed || next.failed < last.failed:
			kept = nil
		case !next.at.After(last.at):
			return r
		case n == samplesAtMost:
			kept = kept[1:]
		}
	}
	return rates{append(kept[:len(kept):len(kept)], next)}
}

// now returns how many jobs a second were performed and failed in the last seconds. ok is
// false if that is not known yet.
func (r rates) now() (processed, failed float64, ok bool) {
	n := len(r.samples)
	if n < 2 {
		return 0, 0, false
	}
	last, first := r.samples[n-1], r.samples[n-2]
	for i := n - 2; i >= 0 && last.at.Sub(r.samples[i].at) <= rateWindow; i-- {
		first = r.samples[i]
	}
	seconds := last.at.Sub(first.at).Seconds()
	return float64(last.processed-first.processed) / seconds, float64(last.failed-first.failed) / seconds, true
}

// series returns the rates between the last samples, at most n of them.
func (r rates) series(n int, counter func(sample) int64) []float64 {
	var values []float64
	for i := max(1, len(r.samples)-n); i < len(r.samples); i++ {
		a, b := r.samples[i-1], r.samples[i]
		values = append(values, float64(counter(b)-counter(a))/b.at.Sub(a.at).Seconds())
	}
	return values
}

func processedOf(s sample) int64 { return s.processed }

func failedOf(s sample) int64 { return s.failed }

// spark returns values as a line of bars, of which the highest has the full height.
func spark(values []float64, t texts) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	if t.ascii {
		bars = []rune("_.-=+*#@")
	}
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	line := make([]rune, len(values))
	for i, v := range values {
		line[i] = bars[0]
		if v > 0 {
			line[i] = bars[1+int(v/most*float64(len(bars)-2))]
		}
	}
	return string(line)
}

func rateText(rate float64) string {
	if rate >= 10 || rate == 0 {
		return grouped(int64(rate + 0.5))
	}
	return fmt.Sprintf("%.1f", rate)
}

// pace decides how often the state is read. When nothing has changed for some reads, it
// is read less often.
type pace struct {
	last uint64 // fingerprint
	same int    // reads since it changed, or since a key was pressed
}

const (
	sameReads = 15
	idleWait  = 15 * time.Second
)

func (p pace) read(snap resque.Snapshot) pace {
	now := fingerprint(snap)
	if now != p.last {
		return pace{last: now}
	}
	return pace{last: now, same: p.same + 1}
}

func (p pace) wait(interval time.Duration) time.Duration {
	if p.same < sameReads {
		return interval
	}
	return max(interval, idleWait)
}

// fingerprint returns a number that changes if a queue, a list, a counter or a running job
// does. Heartbeats do not count.
func fingerprint(s resque.Snapshot) uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, s.Processed, s.Failed, s.Paused, s.Delayed, s.NextDue.Unix(), s.Failures)
	for _, q := range s.Queues {
		fmt.Fprintln(h, q.Queue, q.Size, q.Paused, q.Limit != nil && q.Limit.Running > 0)
	}
	for _, w := range s.Workers {
		fmt.Fprintln(h, w.ID, w.Registered, w.RunAtText)
	}
	return h.Sum64()
}
