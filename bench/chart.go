package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"github.com/goresque/goresque/internal/pattern"
)

// charted matches the rows of the chart.
var charted = pattern.Pattern{Text: `^(drain, (1 slot|25 slots|100 slots)|enqueue, (1 goroutine|16 goroutines)|a process per job, .*)$`}

// chart returns an SVG image with bars for some of the rows in jobs/s. Each row has its own
// scale. The colors follow the reader's choice of a light or a dark page.
func (r *report) chart() []byte {
	const (
		width, left, right, bar = 960, 240, 150, 18
		room                    = width - left - right
	)
	var body bytes.Buffer
	y := 56
	for _, l := range r.Rows {
		if !charted.Regexp().MatchString(l.Name) {
			continue
		}
		most := 0.0
		for _, c := range l.Cells {
			if c.Runs != nil {
				most = max(most, c.Median[0])
			}
		}
		y += 14
		fmt.Fprintf(&body, `<text class="row" x="16" y="%d">%s</text>`+"\n", y, html.EscapeString(l.Name))
		y += 8
		for _, c := range l.Cells {
			if c.Runs == nil {
				continue
			}
			kind := "peer"
			switch {
			case strings.HasSuffix(c.System, "before"):
				kind = "before"
			case strings.HasPrefix(c.System, ours):
				kind = "ours"
			case strings.HasPrefix(c.System, "limit"):
				kind = "limit"
			}
			fmt.Fprintf(&body, `<text class="name" x="%d" y="%d">%s</text>`, left-8, y+13, html.EscapeString(c.System))
			fmt.Fprintf(&body, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`, kind, left, y+2, max(1, room*c.Median[0]/most), bar-4)
			fmt.Fprintf(&body, `<text x="%.1f" y="%d">%s</text>`+"\n", float64(left)+room*c.Median[0]/most+6, y+13, format(c.Median))
			y += bar
		}
		y += 12
	}
	var all bytes.Buffer
	fmt.Fprintf(&all, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="Jobs per second">`+"\n", width, y, width, y)
	all.WriteString(`<style>
text { font: 12px system-ui, sans-serif; fill: #222 } .row { font-weight: 600 } .name { text-anchor: end }
.page { fill: #fff } .ours { fill: #1a7f5a } .before { fill: #8cc5ae } .peer { fill: #8a97a6 } .limit { fill: #d8dde3 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd }
.page { fill: #0d1117 } .ours { fill: #2ea97c } .before { fill: #1f5f49 } .peer { fill: #768390 } .limit { fill: #373e47 }
}
</style>
<rect class="page" width="100%" height="100%"/>
`)
	fmt.Fprintf(&all, `<text class="row" x="16" y="26">Jobs per second, medians of up to %d rounds, redis-server %s, %d processors, %s</text>`+"\n", r.Rounds, html.EscapeString(r.Redis), r.Machine.CPUs, r.Date)
	all.Write(body.Bytes())
	all.WriteString("</svg>\n")
	return all.Bytes()
}
