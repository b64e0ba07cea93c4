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
	rdb     *resque.Redis
	alive   func() string // what /healthz adds
	unready func() string // why the process is not ready; empty if it is
}

func ofWorker(rdb *resque.Redis, w *worker.Worker) health {
	return health{
		rdb:   rdb,
		alive: func() string { return fmt.Sprintf("stuck jobs: %d", w.Stuck()) },
		unready: func() string {
			if len(w.IDs()) == 0 {
				return "not registered"
			}
			return ""
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
		unready: func() string {
			if s.State().Holder == "" {
				return "starting"
			}
			return ""
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
		return nil, fmt.Errorf("listening for health checks: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, "ok\n%s\n", h.alive())
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		switch err := h.rdb.Ping(ctx); {
		case h.unready() != "":
			http.Error(rw, h.unready(), http.StatusServiceUnavailable)
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
