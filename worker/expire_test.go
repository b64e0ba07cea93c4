package worker_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

func TestExpiredJobIsDroppedAndLogged(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	_, err := client.EnqueuePayload(t.Context(), "sms", []byte(`{"class":"Code","args":[],"enqueued_at":"2026-01-01T00:00:00Z"}`))
	require.NoError(t, err)
	mux := resque.NewMux()
	mux.Handle(resque.Define0("Code", "sms", resque.ExpireAfter(time.Minute)).Handler(func(context.Context) error {
		t.Error("the job was performed")
		return nil
	}))
	var log bytes.Buffer
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"sms"}, UntilEmpty: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
	assert.Regexp(t, `msg="job not performed: a hook refused it" class=Code .* err="Code: expired: it has waited \S+, longer than 1m0s"`, log.String())
	for name, want := range map[string]int64{"processed": 1, "failed": 0} {
		n, err := client.Stat(t.Context(), name)
		require.NoError(t, err)
		assert.Equal(t, want, n, name)
	}
}
