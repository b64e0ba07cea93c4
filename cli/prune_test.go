package cli_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
	"github.com/goresque/goresque/worker"
)

// Whoever prunes a dead worker, the same is left of it. Only a removal by force says of
// the job what Ruby's Resque.remove_worker says.
func TestEveryPruneLeavesTheSame(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	require.NoError(t, err)
	id := strings.ReplaceAll(host, ":", "-") + "~go:999999999:exports"
	dead := "Worker " + id + " did not gracefully exit while processing Exporter"
	for name, prune := range map[string]struct {
		by               func(t *testing.T, s *redistest.Server, mux *resque.Mux, id string)
		exception, error string
	}{
		"a worker's sweep":       {sweepOnce, "Resque::PruneDeadWorkerDirtyExit", dead},
		"the dashboard's button": {pressPrune, "Resque::PruneDeadWorkerDirtyExit", dead},
		"remove":                 {pruneBy("remove"), "Resque::PruneDeadWorkerDirtyExit", dead},
		"remove --force":         {pruneBy("remove", "--force"), "Resque::DirtyExit", "Job still being processed"},
		"kill":                   {pruneBy("kill"), "Resque::DirtyExit", "Job still being processed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			told := make(chan error, 10)
			buryWorker(t, s, id)
			prune.by(t, s, railsMux(told), id)

			space := golden.Dump(t, s.Conn(t))
			assert.Equal(t, map[string]golden.Value{
				"resque:failed": {Type: "list", Value: []any{
					`{"failed_at":"{FAILED_AT}","payload":{"class":"Wrap","args":["Exporter"]},"exception":"` + prune.exception + `","error":"` +
						golden.Clean(prune.error) + `","backtrace":[],"worker":"{HOST}:{PID}:exports","queue":"exports"}`,
				}},
				"resque:stat:processed": {Type: "string", Value: "7"}, // not counted
			}, space)
			require.Len(t, told, 1, "the hook of the class in the wrapper is called once")
			assert.EqualError(t, <-told, prune.error)
		})
	}
}

// railsMux returns a mux with a class in a wrapper and a failure hook.
func railsMux(told chan<- error) *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Route{
		Class: "Exporter", Handler: resque.HandlerFunc(func(context.Context, *resque.Payload) error { return nil }),
		Wrapper: &resque.Wrapper{Class: "Wrap", Unwrap: func(job *resque.Payload) (*resque.Payload, error) {
			inside := *job
			return &inside, json.Unmarshal(job.Args[0], &inside.Class)
		}},
	}.OnFailure(func(_ context.Context, _ *resque.Payload, err error) error {
		told <- err
		return nil
	}))
	return mux
}

// buryWorker registers a worker that died with a job.
func buryWorker(t *testing.T, s *redistest.Server, id string) {
	t.Helper()
	c := s.Conn(t)
	for _, words := range [][]any{
		{"SADD", "resque:workers", id},
		{"SET", "resque:worker:" + id, `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Wrap","args":["Exporter"]}}`},
		{"SET", "resque:worker:" + id + ":started", "2026-01-01 00:00:00 +0000"},
		{"HSET", "resque:workers:heartbeat", id, "2026-01-01T00:00:00+00:00"},
		{"HSET", "resque:goresque:intervals", id, "1 2"},
		{"SET", "resque:stat:processed:" + id, 3},
		{"SET", "resque:stat:failed:" + id, 1},
		{"SET", "resque:stat:processed", 7},
	} {
		_, err := c.Do(words[0].(string), words[1:]...)
		require.NoError(t, err)
	}
}

func sweepOnce(t *testing.T, s *redistest.Server, mux *resque.Mux, id string) {
	t.Helper()
	client := s.Client(t)
	w, err := worker.New(client, mux, worker.Config{
		// If two sweeps are more than three quarters of an interval apart, the watch begins again.
		Queues: []string{"idle"}, HeartbeatInterval: time.Second, PruneAfter: 2 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(t.Context()) }()
	require.Eventually(t, func() bool {
		known, err := client.WorkerExists(t.Context(), id)
		return err == nil && !known
	}, time.Minute, 10*time.Millisecond)
	w.Quit()
	require.NoError(t, <-ended)
}

func pressPrune(t *testing.T, s *redistest.Server, mux *resque.Mux, id string) {
	t.Helper()
	h, err := web.New(s.Client(t), web.Config{
		Auth: web.AllowEveryone(), Prune: resque.PruneOptions{Handler: mux}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/workers/"+strings.ReplaceAll(id, ":", "%3A")+"/prune", strings.NewReader("sure=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	require.Equal(t, http.StatusSeeOther, answer.Code, answer.Body.String())
}

func pruneBy(words ...string) func(*testing.T, *redistest.Server, *resque.Mux, string) {
	return func(t *testing.T, s *redistest.Server, mux *resque.Mux, id string) {
		t.Helper()
		got := run(t, mux, []string{"REDIS_URL=" + s.URL}, append(words, id)...)
		require.Equal(t, 0, got.status, got.stderr)
	}
}

// A Go worker whose process is connected is alive, even if its heartbeat is old.
func TestAConnectedWorkerIsPrunedByForceOnly(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	const id = "elsewhere~go:12:exports"
	buryWorker(t, s, id)
	_, err := s.Conn(t).Do("CLIENT", "SETNAME", "goresque:resque:elsewhere~go:12:token")
	require.NoError(t, err)

	h, err := web.New(s.Client(t), web.Config{Auth: web.AllowEveryone(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	for path, status := range map[string]int{"/workers/elsewhere~go%3A12%3Aexports/prune": http.StatusConflict, "/workers/prune": http.StatusOK} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("sure=1"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "application/json")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		assert.Equal(t, status, answer.Code, answer.Body.String())
		if status == http.StatusConflict {
			assert.Contains(t, answer.Body.String(), `"code":"worker-alive"`)
		}
	}
	got := run(t, nil, []string{"REDIS_URL=" + s.URL}, "remove", id)
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "its process is connected to Redis")
	assert.Contains(t, got.stderr, "--force")
	assert.Equal(t, 1, slotsOf(t, s))
	require.Equal(t, 0, run(t, nil, []string{"REDIS_URL=" + s.URL}, "remove", "--force", id).status)
	assert.Zero(t, slotsOf(t, s))
}
