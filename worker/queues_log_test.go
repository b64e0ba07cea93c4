package worker_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

func TestNewLogsQueuesThatAreProbablyAMistake(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	const unused, unwatched = `level=WARN msg="no registered class uses these queues"`, `level=DEBUG msg="queues of registered classes are not watched"`
	for name, c := range map[string]struct {
		queues    []string
		plain     bool // a class without a queue
		unused    int
		unwatched int
	}{
		"all queues":           {queues: []string{"*"}},
		"exactly these":        {queues: []string{"exports", "mail"}},
		"a typing error":       {queues: []string{"export", "mail"}, unused: 1, unwatched: 1},
		"one is left out":      {queues: []string{"exports"}, unwatched: 1},
		"one is excluded":      {queues: []string{"*", "!mail"}, unwatched: 1},
		"a pattern":            {queues: []string{"ex*", "mai?"}},
		"more than these":      {queues: []string{"exports", "mail", "other"}, unused: 1},
		"a class has no queue": {queues: []string{"exports", "mail", "other"}, plain: true},
	} {
		mux := resque.NewMux()
		perform := func(context.Context, int) error { return nil }
		mux.Handle(resque.Define1[int]("Exporter", "exports").Handler(perform))
		mux.Handle(resque.Define1[int]("Mailer", "mail").Handler(perform))
		if c.plain {
			mux.HandleFunc("Plain", func(context.Context, *resque.Payload) error { return nil })
		}
		log := &journal{}
		logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		_, err := worker.New(s.Client(t), mux, worker.Config{Queues: c.queues, Logger: logger})
		require.NoError(t, err)
		assert.Equal(t, c.unused, log.count(unused), name)
		assert.Equal(t, c.unwatched, log.count(unwatched), name)
	}
}
