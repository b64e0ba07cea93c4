package cli

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/worker"
)

// health is what Kubernetes' probes ask.
type health struct {
	rdb   *resque.Redis
	alive func() string // what /healthz adds

	// unready returns why the process is not ready; no reason if it is. A worker that
	// lost its registration registers again at its next heartbeat.
	unready func(ctx context.Context) (reason string, err error)
}

func ofWorker(client *resque.Client, w *worker.Worker) health {
	return health{
		rdb:   client.Redis(),
		alive: func() string { return fmt.Sprintf("stuck jobs: %d", w.Stuck()) },
		unready: func(ctx context.Context) (string, error) {
			registered, err := isRegistered(ctx, client, w.IDs())
			if err != nil || registered {
				return "", err
			}
			return "not registered", nil
		},
	}
}

func ofScheduler(rdb *resque.Redis, s *scheduler.Scheduler) health {
	return health{
		rdb: rdb,
		alive: func() string {
			if state := s.State(); !state.Master {
				return "waiting, the master is " + cmp.Or(state.Holder, "not known")
			}
			return "master"
		},
		unready: func(context.Context) (string, error) {
			if s.State().Holder == "" {
				return "starting", nil
			}
			return "", nil
		},
	}
}

// serveHealth answers Kubernetes' probes on addr until end is called. /healthz
// answers while the process runs. /readyz answers 200 if the process is ready and Redis
// answers. If Redis does not answer, the process waits for it, so that is not a reason
// to restart it.
func serveHealth(ctx context.Context, addr string, h health) (end func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening for health checks: %v; choose another address with --health (RESQUE_HEALTH)", err) //nolint:errorlint // it is not a fault of Redis, and must not be explained as one
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, "ok\n%s\n", h.alive())
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		reason, err := h.unready(ctx)
		if err == nil {
			err = h.rdb.Ping(ctx)
		}
		switch {
		case reason != "":
			http.Error(rw, reason, http.StatusServiceUnavailable)
		case err != nil:
			fault, _ := resque.Explain(err)
			http.Error(rw, strings.ToLower(cmp.Or(fault.Cause, "Redis does not answer")), http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(rw, "ok")
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // returns when the server is closed
	return func() {
		_ = server.Close()
		serving.Wait()
	}, nil
}

// isRegistered reports whether a worker has registered its slots and Redis has all of
// them.
func isRegistered(ctx context.Context, client *resque.Client, ids []string) (bool, error) {
	for _, id := range ids {
		if known, err := client.WorkerExists(ctx, id); err != nil || !known {
			return false, err
		}
	}
	return len(ids) > 0, nil
}
