package web

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/resque"
)

// The job that has run longest comes first, and jobs that say no time come last.
func TestBusyWorkersAreInTheOrderOfTheirJobs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	snap := moment{Snapshot: resque.Snapshot{Workers: []resque.RegisteredWorker{
		{ID: "no time", Working: true},
		{ID: "second", Working: true, RunAt: at.Add(time.Second)},
		{ID: "idle"},
		{ID: "first", Working: true, RunAt: at},
		{ID: "no time either", Working: true},
	}}}
	var ids []string
	for _, w := range busyWorkers(snap) {
		ids = append(ids, w.ID)
	}
	assert.Equal(t, []string{"first", "second", "no time", "no time either"}, ids)
}
