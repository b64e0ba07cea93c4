package web

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// rates keeps past values of the counters and queue sizes, to compute how fast they
// change. It writes nothing to Redis.
type rates struct {
	mu      sync.Mutex
	samples []sample
	sizes   map[string][]queueSize
	sized   time.Time
}

type sample struct {
	at                time.Time
	processed, failed int64
}

type queueSize struct {
	at   time.Time
	size int64
}

const (
	rateWindow = 10 * time.Minute
	rateStep   = 4 * time.Second // shortest time between two samples
	sizeWindow = 30 * time.Minute
	sizeStep   = 30 * time.Second
	sizeQueues = 2000 // with more queues, sizes are not kept
)

func (r *rates) sample(snap resque.Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := snap.Now
	if n := len(r.samples); n > 0 && now.Sub(r.samples[n-1].at) < rateStep {
		return
	}
	r.samples = append(r.samples, sample{now, snap.Processed, snap.Failed})
	for len(r.samples) > 1 && now.Sub(r.samples[0].at) > rateWindow {
		r.samples = r.samples[1:]
	}
	r.sampleSizes(snap)
}

func (r *rates) sampleSizes(snap resque.Snapshot) {
	if snap.Now.Sub(r.sized) < sizeStep || len(snap.Queues) > sizeQueues {
		return
	}
	r.sized = snap.Now
	known := make(map[string][]queueSize, len(snap.Queues)) // without queues that no longer exist
	for _, q := range snap.Queues {
		sizes := append(r.sizes[q.Queue], queueSize{snap.Now, q.Size})
		for len(sizes) > 1 && snap.Now.Sub(sizes[0].at) > sizeWindow {
			sizes = sizes[1:]
		}
		known[q.Queue] = sizes
	}
	r.sizes = known
}

// now returns the rate of the last half minute, or "" if it is not known yet.
func (r *rates) now() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.samples)
	if n < 2 {
		return ""
	}
	last := r.samples[n-1]
	first := r.samples[n-2]
	for i := n - 2; i >= 0 && last.at.Sub(r.samples[i].at) <= 30*time.Second; i-- {
		first = r.samples[i]
	}
	return perSecond(first, last)
}

func perSecond(a, b sample) string {
	seconds := b.at.Sub(a.at).Seconds()
	if b.processed < a.processed || seconds <= 0 { // the counter was cleared
		return ""
	}
	return rateText(float64(b.processed-a.processed) / seconds)
}

func rateText(rate float64) string {
	switch {
	case rate >= 10:
		return grouped(int64(rate + .5))
	case rate == 0:
		return "0"
	case rate < .1:
		return fmt.Sprintf("%.2g", rate)
	default:
		return fmt.Sprintf("%.1f", rate)
	}
}

// trend returns the points of a line that shows how a queue's size changed, and the
// time until the queue is empty at the rate of the last minutes. drain is 0 if the
// queue does not shrink.
func (r *rates) trend(queue string, now time.Time, size int64) (line string, drain time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sizes := r.sizes[queue]
	if len(sizes) < 2 {
		return "", 0
	}
	return sparkline(sizes), drainTime(sizes, now, size)
}

// The size of the line in the table of queues.
const sparkWidth, sparkHeight = 60.0, 16.0

func sparkline(sizes []queueSize) string {
	most := int64(1)
	for _, s := range sizes {
		most = max(most, s.size)
	}
	last := sizes[len(sizes)-1].at
	var points []byte
	for _, s := range sizes {
		x := sparkWidth * (1 - last.Sub(s.at).Seconds()/sizeWindow.Seconds())
		points = fmt.Appendf(points, "%.0f,%.1f ", x, (sparkHeight-2)*(1-float64(s.size)/float64(most))+1)
	}
	return string(points)
}

// drainWindow is the time over which the rate of a queue is measured.
const drainWindow = 5 * time.Minute

func drainTime(sizes []queueSize, now time.Time, size int64) time.Duration {
	for _, s := range sizes {
		over := now.Sub(s.at)
		if over > drainWindow || over < sizeStep {
			continue
		}
		if size > 0 && s.size > size {
			return time.Duration(float64(over) * float64(size) / float64(s.size-size))
		}
		return 0
	}
	return 0
}

// graph is the rates of the last minutes as lines of an SVG image.
type graph struct {
	Processed, Failed []string   // the points of each line; a gap starts a new line
	Most              string     // the rate at the top of the graph
	Known             bool       // false if there is nothing to draw
	Rows              []graphRow // the same values for a table
}

type graphRow struct {
	At                time.Time
	Processed, Failed string
}

// The size of the graph in SVG units.
const graphWidth, graphHeight = 600.0, 80.0

// leastRate is the smallest rate at the top of a graph.
const leastRate = 0.1

// ratePoint is the rates between two samples. gap means that a counter was cleared
// between them.
type ratePoint struct {
	at                time.Time
	processed, failed float64
	gap               bool
}

func (r *rates) graph() graph {
	r.mu.Lock()
	defer r.mu.Unlock()
	return drawRates(r.samples, rateWindow)
}

// drawRates returns the rates between samples. The graph ends with the last sample and is
// window long.
func drawRates(samples []sample, window time.Duration) graph {
	points, most := points(samples)
	if len(points) == 0 {
		return graph{}
	}
	last := points[len(points)-1].at
	g := graph{Known: true, Most: rateText(most)}
	var processed, failed strings.Builder
	flush := func() {
		if processed.Len() > 0 {
			g.Processed, g.Failed = append(g.Processed, processed.String()), append(g.Failed, failed.String())
			processed.Reset()
			failed.Reset()
		}
	}
	for _, p := range points {
		if p.gap {
			flush()
			continue
		}
		x := max(0, graphWidth*(1-last.Sub(p.at).Seconds()/window.Seconds()))
		fmt.Fprintf(&processed, "%.1f,%.1f ", x, graphHeight*(1-p.processed/most))
		fmt.Fprintf(&failed, "%.1f,%.1f ", x, graphHeight*(1-p.failed/most))
		g.Rows = append(g.Rows, graphRow{p.at, rateText(p.processed), rateText(p.failed)})
	}
	flush()
	return g
}

func points(samples []sample) (points []ratePoint, most float64) {
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		seconds := b.at.Sub(a.at).Seconds()
		p := ratePoint{
			at: b.at, processed: float64(b.processed-a.processed) / seconds, failed: float64(b.failed-a.failed) / seconds,
			gap: b.processed < a.processed || b.failed < a.failed,
		}
		if !p.gap {
			most = max(most, p.processed, p.failed)
		}
		points = append(points, p)
	}
	return points, max(most, leastRate)
}
