//go:build linux

package chaos_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	runs   = flag.Int("runs", 1, "how often each fault is injected; make chaos takes more")
	jobs   = flag.Int("jobs", 150, "how many jobs are enqueued in each run")
	outage = flag.Duration("outage", time.Second, "how long an outage lasts")
	write  = flag.String("write", "", "a document whose table is replaced by the results")
)

// No fault loses a job that Enqueue reported as queued.
func TestNoFaultLosesJobs(t *testing.T) { //nolint:tparallel // the table is written at the end
	all, ruby := faults(*outage), hasRuby()
	t.Logf("Ruby takes part: %v", ruby)
	results := make([][]result, len(all))
	t.Run("faults", func(t *testing.T) {
		for i, f := range all {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				for range *runs {
					w := newWorld(t, f)
					if f.before != nil {
						f.before(w)
					}
					roles := []string{roleWorker, roleFork, roleScheduler}
					if f.ruby && ruby {
						roles = append(roles, roleRuby)
					}
					for _, role := range roles {
						w.start(role)
					}
					r := w.run(*jobs, f.inject)
					t.Log(r)
					assert.Zero(t, r.lost)
					if f.promise != seen {
						assert.Zero(t, r.failed)
					}
					if f.promise == once {
						assert.Zero(t, r.twice)
					}
					w.end()
					results[i] = append(results[i], r)
				}
			})
		}
	})
	if *write != "" && !t.Failed() {
		replaceTable(t, *write, table(all, results))
	}
}

// table returns the results as a Markdown table.
func table(all []fault, results [][]result) string {
	var text strings.Builder
	text.WriteString("| fault | promise | runs | jobs | lost | failed | begun twice | recovery, median (max) |\n|---|---|---|---|---|---|---|---|\n")
	for i, f := range all {
		var sum result
		var recovery []time.Duration
		for _, r := range results[i] {
			sum.jobs, sum.lost, sum.failed, sum.twice = sum.jobs+r.jobs, sum.lost+r.lost, sum.failed+r.failed, sum.twice+r.twice
			recovery = append(recovery, r.recovery.Round(10*time.Millisecond))
		}
		slices.Sort(recovery)
		fmt.Fprintf(&text, "| %s | %s | %d | %d | %d | %d | %d | %v (%v) |\n", f.name, f.promise, len(recovery), sum.jobs, sum.lost,
			sum.failed, sum.twice, recovery[len(recovery)/2], recovery[len(recovery)-1])
	}
	return text.String()
}

// The lines of the document between which the table is.
const (
	tableBegin = "<!-- written by make chaos -->\n"
	tableEnd   = "<!-- end -->\n"
)

func replaceTable(t *testing.T, file, table string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, found := bytes.Cut(text, []byte(tableBegin))
	_, after, ended := bytes.Cut(rest, []byte(tableEnd))
	require.True(t, found && ended, "%s has no table to replace", file)
	text = slices.Concat(before, []byte(tableBegin+"\n"+table+"\n"+tableEnd), after)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}
