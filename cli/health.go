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
	"github.com/goresque/goresque/worker"
)

// serveHealth answers Kubernetes' probes on addr until end is called. /healthz
// answers while the process runs. /readyz answers 200 if the worker is registered and
// Redis answers. If Redis does not answer, the worker waits for it, so that is not a
// reason to restart the worker.
func serveHealth(ctx context.Context, addr string, rdb *resque.Redis, w *worker.Worker) (end func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening for health checks: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, "ok\nstuck jobs: %d\n", w.Stuck())
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		switch err := rdb.Ping(ctx); {
		case len(w.IDs()) == 0:
			http.Error(rw, "not registered", http.StatusServiceUnavailable)
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
