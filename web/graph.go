package web

import (
	"fmt"
	"strings"
	"time"
)

// graph is the rates of the last minutes as lines of an SVG.
type graph struct {
	Processed, Failed []string   // each the points of a line; a gap begins another
	Most              string     // what the top stands for
	Known             bool       // there is something to draw
	Rows              []graphRow // the same as a table
}

type graphRow struct {
	At                time.Time
	Processed, Failed string
}

// The size of the graph's drawing.
const graphWidth, graphHeight = 600.0, 80.0

// ratePoint is the rates until a moment. A gap stands for a counter that was
// cleared.
type ratePoint struct {
	at                time.Time
	processed, failed float64
	gap               bool
}

func (r *rates) graph() graph {
	points, most := r.points()
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
		x := graphWidth * (1 - last.Sub(p.at).Seconds()/rateWindow.Seconds())
		fmt.Fprintf(&processed, "%.1f,%.1f ", x, graphHeight*(1-p.processed/most))
		fmt.Fprintf(&failed, "%.1f,%.1f ", x, graphHeight*(1-p.failed/most))
		g.Rows = append(g.Rows, graphRow{p.at, rateText(p.processed), rateText(p.failed)})
	}
	flush()
	return g
}

func (r *rates) points() (points []ratePoint, most float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	most = 1
	for i := 1; i < len(r.samples); i++ {
		a, b := r.samples[i-1], r.samples[i]
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
	return points, most
}
