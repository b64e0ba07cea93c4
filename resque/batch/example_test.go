package batch_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/batch"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/worker"
)

// When all exports have succeeded, the report is published.
func Example() {
	ctx := context.Background()
	server, err := embedded.Start("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	if err := nightly(ctx, server.URL()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// exported acme
	// exported initech
	// published the exports of Monday
	// succeeded: 2 of 2 jobs
}

func nightly(ctx context.Context, url string) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: url})
	if err != nil {
		return err
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	exporter := resque.Define1[string]("Exporter", "exports")
	publisher := resque.Define1[string]("Publisher", "exports")

	b, err := batch.New(client, batch.Config{Description: "nightly", Success: publisher.Job("Monday")})
	if err != nil {
		return err
	}
	if err := b.Add(ctx, exporter.Job("acme"), exporter.Job("initech")); err != nil {
		return err
	}
	if err := b.Seal(ctx); err != nil {
		return err
	}

	mux := resque.NewMux()
	mux.Handle(exporter.Handler(func(_ context.Context, customer string) error {
		fmt.Println("exported", customer)
		return nil
	}))
	mux.Handle(publisher.Handler(func(_ context.Context, day string) error {
		fmt.Println("published the exports of", day)
		return nil
	}))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := w.WorkOff(ctx); err != nil {
		return err
	}
	s, _, err := batch.Get(ctx, client, b.ID())
	fmt.Printf("%s: %d of %d jobs\n", s.State(), s.Ended(), s.Total)
	return err
}
