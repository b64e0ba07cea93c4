//go:build unix

package activejob_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/worker"
)

// TestMain runs the tests, or performs jobs in a child process of a test's worker.
func TestMain(m *testing.M) {
	if worker.IsChild() {
		if err := worker.ServeChild(context.Background(), childJobs()); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// childJobs has a job that makes a file, and then waits until its context ends.
func childJobs() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(activejob.Define1[string]("StepsJob", "steps", activejob.Continuable{}).Handler(func(ctx context.Context, path string) error {
		return activejob.Step(ctx, "<one>", func(c *activejob.Cursor) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			<-ctx.Done()
			return c.Set("<7>")
		})
	}))
	return mux
}

func TestStoppedChildGoesOnAtItsStep(t *testing.T) {
	t.Parallel()
	client := redistest.StartEmbedded(t).Client(t)
	path := filepath.Join(t.TempDir(), "begun")
	_, err := client.Enqueue(t.Context(), activejob.Define1[string]("StepsJob", "steps", activejob.Continuable{}).Job(path))
	require.NoError(t, err)
	w, err := worker.New(client, childJobs(), worker.Config{
		Queues: []string{"steps"}, ForkPerJob: true, StopTimeout: time.Nanosecond, StopGrace: time.Minute,
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	assert.Eventually(t, func() bool { _, err := os.Stat(path); return err == nil }, time.Minute, 5*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.EqualValues(t, 1, runDelayed(t, client))
	for job, err := range client.Peek(t.Context(), "steps", 0, 1) {
		require.NoError(t, err)
		assert.Contains(t, string(job.Raw), `"exception_executions":{"Interrupted at '<one>', cursor '\"<7>\"' (stopping)":1}`)
		assert.Contains(t, string(job.Raw), `"continuation":{"completed":[],"current":["<one>","<7>"]},"resumptions":0}]}`)
	}
}
