//go:build unix

package worker_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

// A job in a child process that is canceled or killed ends as in this process.
func TestChildrenAreToldOfCanceledAndKilledJobs(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	sheet, c := newSheet(t), s.Conn(t)
	enqueue(t, s, sheet.job("Polite", "1h"))
	id, err := status.Define[string]("Killable", "q").Enqueue(t.Context(), s.Client(t), sheet.path)
	require.NoError(t, err)
	goRun(t, newWorker(t, s, forkJobs(), worker.Config{Queues: []string{"q"}, ForkPerJob: true}))
	eventually(t, func() bool { return sheet.count("Polite in") > 0 }, "it does not begin")
	cancelOne(t, s)
	eventually(t, func() bool { return do(t, c, "LLEN", "resque:failed") == int64(1) }, "it is not canceled")
	assert.Equal(t, "Resque::JobCanceled", failures(t, c)[0].Exception)
	eventually(t, func() bool { return sheet.count("Killable") > 0 }, "it does not begin")
	ok, err := status.Kill(t.Context(), s.Client(t), id)
	require.NoError(t, err)
	require.True(t, ok)
	eventually(t, func() bool {
		got, _, err := status.Get(t.Context(), s.Client(t), id)
		return err == nil && got.State == status.Killed
	}, "it is not killed")
	assert.Equal(t, 1, sheet.count("cause: the job was killed"))
	assert.Len(t, failures(t, c), 1, "a killed job has not failed")
	options, err := json.Marshal(sheet.path)
	require.NoError(t, err)
	assert.Contains(t, string(do(t, c, "GET", "resque:status:"+id).([]byte)), string(options))
}
