package resque_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/worker"
)

// webhook posts each failure's record to a URL.
type webhook struct{ url string }

// Save posts the record. The worker logs the error that Save returns. The failure is also
// saved in Redis.
func (w webhook) Save(ctx context.Context, failure resque.Failure) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(failure.AppendJSON(nil)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("webhook answered %s", response.Status)
	}
	return nil
}

// failOne has a worker perform an export that fails.
func failOne(ctx context.Context, client *resque.Client, backends ...resque.FailureBackend) error {
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(func(context.Context, int64) error { return errors.New("the disk is full") }))
	if _, err := client.Enqueue(ctx, Exporter.Job(42)); err != nil {
		return err
	}
	w, err := worker.New(client, mux, worker.Config{
		Queues: []string{"exports"}, UntilEmpty: true, FailureBackends: backends,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// withEmbedded calls fn with a client of an embedded Redis.
func withEmbedded(fn func(ctx context.Context, client *resque.Client) error) error {
	server, err := embedded.Start("")
	if err != nil {
		return err
	}
	defer server.Close()
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL()})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return fn(ctx, client)
}

// A custom backend receives each failure in addition to the list in Redis.
func ExampleFailureBackend() {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, err := body.ReadFrom(r.Body)
		fmt.Println(r.Method, bytes.Contains(body.Bytes(), []byte(`"error":"the disk is full"`)), err)
	}))
	defer receiver.Close()
	err := withEmbedded(func(ctx context.Context, client *resque.Client) error {
		return failOne(ctx, client, webhook{receiver.URL})
	})
	fmt.Println(err)
	// Output:
	// POST true <nil>
	// <nil>
}

func ExampleFailures() {
	err := withEmbedded(func(ctx context.Context, client *resque.Client) error {
		if err := failOne(ctx, client); err != nil {
			return err
		}
		failures := client.Failures()
		for job, err := range failures.Newest(ctx, resque.FailureFilter{Class: "Exporter"}) {
			if err != nil {
				return err
			}
			fmt.Println(job.Class, string(job.Args[0]), job.Error)
			if _, err := failures.Requeue(ctx, resque.RequeueOptions{}, job.ID); err != nil {
				return err
			}
			_, err := failures.Requeue(ctx, resque.RequeueOptions{}, job.ID)
			fmt.Println(errors.Is(err, resque.ErrFailureChanged))
		}
		p, err := failures.RemoveAll(ctx, resque.RemoveOptions{}, resque.FailureFilter{Requeued: resque.OnlyRequeued}, nil)
		fmt.Println("removed", p.Done)
		return err
	})
	fmt.Println(err)
	// Output:
	// Exporter 42 the disk is full
	// true
	// removed 1
	// <nil>
}
