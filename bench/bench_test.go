package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// TestMain lets the test binary run tasks, as the command does.
func TestMain(m *testing.M) {
	if os.Getenv(taskVariable) != "" {
		os.Exit(start(nil, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func quick(t testing.TB, args ...string) (*report, string) {
	t.Helper()
	_, err := exec.LookPath("redis-server")
	redistest.Require(t, "redis", err == nil)
	path := filepath.Join(t.TempDir(), "bench")
	var out, stderr bytes.Buffer
	args = append([]string{"-quick", "-json", path + ".json", "-svg", path + ".svg"}, args...)
	require.NoError(t, run(t.Context(), args, &out, &stderr), stderr.String())
	text, err := os.ReadFile(path + ".json")
	require.NoError(t, err)
	r := &report{}
	require.NoError(t, json.Unmarshal(text, r))
	chart, err := os.ReadFile(path + ".svg")
	require.NoError(t, err)
	assert.True(t, bytes.HasSuffix(chart, []byte("</svg>\n")), "%s", chart)
	return r, out.String()
}

// BenchmarkQuick checks that every row runs with the systems that are linked in.
// For figures, run the command.
func BenchmarkQuick(b *testing.B) {
	for b.Loop() {
		r, out := quick(b, "-systems", "^(goresque|gocraft/work|asynq|limit.*)$")
		for _, l := range r.Rows {
			assert.NotEmpty(b, l.Cells, l.Name)
			assert.Contains(b, out, l.Name)
		}
	}
}

func TestOnlyChosenRowsAndSystemsAreMeasured(t *testing.T) {
	t.Parallel()
	r, out := quick(t, "-only", "^drain, 25 slots$", "-systems", "^(goresque|gocraft/work|limit)$")
	require.Len(t, r.Rows, 1)
	require.Len(t, r.Rows[0].Cells, 3)
	for _, c := range r.Rows[0].Cells {
		require.Len(t, c.Median, 1, c.System)
		assert.Positive(t, c.Median[0], c.System)
	}
	assert.Nil(t, r.Rows[0].Cells[0].Ratio, "goresque has no ratio to itself")
	require.NotNil(t, r.Rows[0].Cells[1].Ratio)
	assert.Contains(t, out, "gocraft/work")
}

func TestUnsupportedTaskIsReported(t *testing.T) {
	t.Parallel()
	r, out := quick(t, "-only", "^enqueue, 10,000 a call$", "-systems", "^(asynq|limit)$")
	require.Len(t, r.Rows, 1)
	assert.Equal(t, "this version cannot enqueue many tasks with one call", r.Rows[0].Cells[0].Why)
	assert.Contains(t, out, r.Rows[0].Cells[0].Why)
}

func TestRatiosAreComputedWithinARound(t *testing.T) {
	t.Parallel()
	r := newRow("x", "jobs/s", task{})
	r.runs[ours] = [][]float64{{10}, {40}, {30}}
	r.runs["peer"] = [][]float64{{5}, {10}, {10}}
	c := r.cell("peer")
	assert.Equal(t, []float64{10}, c.Median)
	assert.Equal(t, &span{3, 2, 4}, c.Ratio)
	assert.Equal(t, span{2.5, 1, 4}, spanOf([]float64{4, 1, 2, 3}))
	assert.Nil(t, r.cell("absent").Runs)
}

func TestFormatGroupsDigits(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "1,234,568 / 100 / 0.25", format([]float64{1234567.8, 100, 0.25}))
}

func TestFiguresOfAnEarlierRunAreShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	figures, svg := filepath.Join(dir, "figures.json"), filepath.Join(dir, "chart.svg")
	text, err := json.Marshal(&report{Rounds: 3, Rows: []line{{Name: "drain, 1 slot", Unit: "jobs/s", Cells: []cell{
		{System: ours, Median: []float64{1234}, Min: []float64{1}, Max: []float64{2000}, Runs: [][]float64{{1234}}},
		{System: "goresque, before", Median: []float64{1000}, Min: []float64{1}, Max: []float64{2000}, Runs: [][]float64{{1000}}},
	}}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(figures, text, 0o600))
	var out, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-from", figures, "-svg", svg}, &out, &stderr), stderr.String())
	assert.Contains(t, out.String(), "1,234")
	chart, err := os.ReadFile(svg)
	require.NoError(t, err)
	assert.Contains(t, string(chart), `<rect class="ours"`)
	assert.Contains(t, string(chart), `<rect class="before"`)
	assert.Contains(t, string(chart), "prefers-color-scheme: dark")
}

func TestAnEarlierVersionIsNotAskedForWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	before := system{Name: "goresque, before", runs: ours}
	plain := newRow("x", "jobs/s", task{Kind: pickup})
	plain.only = []string{ours}
	assert.True(t, plain.wants(before))
	with := newRow("x", "jobs/s", task{Kind: drain, Policy: policyRetry})
	with.only = []string{ours}
	assert.False(t, with.wants(before))
	assert.True(t, with.wants(system{Name: ours}))
}
