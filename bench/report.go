package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the result of all rounds.
type report struct {
	Date    string   `json:"date"`
	Machine machine  `json:"machine"`
	Redis   string   `json:"redis"`
	Rounds  int      `json:"rounds"`
	Quick   bool     `json:"quick,omitempty"`
	Systems []system `json:"systems"`
	Rows    []line   `json:"rows"`
}

type machine struct {
	OS, Arch, Go string
	CPUs         int
}

// line is a row of the table.
type line struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Cells []cell `json:"cells"`
}

// cell is the result of one system in a row. Medians, minima and maxima have a value
// for each value of the unit.
type cell struct {
	System string      `json:"system"`
	Median []float64   `json:"median,omitempty"`
	Min    []float64   `json:"min,omitempty"`
	Max    []float64   `json:"max,omitempty"`
	Ratio  *span       `json:"ratio,omitempty"` // of goresque to this system, within a round
	Runs   [][]float64 `json:"runs,omitempty"`
	Why    string      `json:"why,omitempty"` // there is no result
}

type span struct{ Median, Min, Max float64 }

const ours = "goresque"

func newReport(s *server, systems []system, rows []*row, o options) *report {
	r := &report{
		Date:    time.Now().UTC().Format(time.DateOnly),
		Machine: machine{runtime.GOOS, runtime.GOARCH, runtime.Version(), runtime.NumCPU()},
		Redis:   s.version, Rounds: o.rounds, Quick: o.quick, Systems: systems,
	}
	for _, row := range rows {
		l := line{Name: row.name, Unit: row.unit}
		for _, one := range systems {
			if c := row.cell(one.Name); c.Runs != nil || c.Why != "" {
				l.Cells = append(l.Cells, c)
			}
		}
		r.Rows = append(r.Rows, l)
	}
	return r
}

func (r *row) cell(name string) cell {
	c := cell{System: name, Runs: r.runs[name], Why: r.why[name]}
	if len(c.Runs) == 0 {
		return c
	}
	for i := range c.Runs[0] {
		s := spanOf(column(c.Runs, i))
		c.Median, c.Min, c.Max = append(c.Median, s.Median), append(c.Min, s.Min), append(c.Max, s.Max)
	}
	if mine := r.runs[ours]; name != ours && len(mine) == len(c.Runs) && c.Min[0] > 0 {
		ratios := column(mine, 0)
		for i := range ratios {
			ratios[i] /= c.Runs[i][0]
		}
		s := spanOf(ratios)
		c.Ratio = &s
	}
	return c
}

func column(runs [][]float64, i int) []float64 {
	var values []float64
	for _, run := range runs {
		values = append(values, run[i])
	}
	return values
}

func spanOf(values []float64) span {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return span{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s/%s, %d processors, %s, redis-server %s, %d rounds; median (min-max); ratio of goresque to the system, within a round\n",
		r.Date, r.Machine.OS, r.Machine.Arch, r.Machine.CPUs, r.Machine.Go, r.Redis, r.Rounds)
	for _, s := range r.Systems {
		fmt.Fprintf(w, "%s: %s\n", s.Name, s.Version)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range r.Rows {
		fmt.Fprintf(table, "\n%s, %s\n", l.Name, l.Unit)
		for _, c := range l.Cells {
			ratio := ""
			if c.Ratio != nil {
				ratio = fmt.Sprintf("%.2f (%.2f-%.2f)", c.Ratio.Median, c.Ratio.Min, c.Ratio.Max)
			}
			value := c.Why
			if c.Runs != nil {
				value = fmt.Sprintf("%s (%s-%s)", format(c.Median), format(c.Min), format(c.Max))
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\n", c.System, value, ratio)
		}
	}
	_ = table.Flush()
}

// format formats values with a comma between thousands.
func format(values []float64) string {
	var texts []string
	for _, v := range values {
		if v < 100 {
			texts = append(texts, strconv.FormatFloat(v, 'f', 2, 64))
			continue
		}
		digits := strconv.FormatFloat(v, 'f', 0, 64)
		for at := len(digits) - 3; at > 0; at -= 3 {
			digits = digits[:at] + "," + digits[at:]
		}
		texts = append(texts, digits)
	}
	return strings.Join(texts, " / ")
}
