package status_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

type exportOptions struct {
	Rows int `json:"rows"`
}

func Example() {
	if err := exportOnce(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// queued 0%
	// completed 100% 3 of 3 finished
}

func exportOnce(ctx context.Context) error {
	server, err := embedded.Start("localhost:0")
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

	export := status.Define[exportOptions]("Export", "exports")
	id, err := export.Enqueue(ctx, client, exportOptions{Rows: 3})
	if err != nil {
		return err
	}
	s, _, err := status.Get(ctx, client, id)
	if err != nil {
		return err
	}
	fmt.Printf("%s %d%%\n", s.State, s.Percent())

	mux := resque.NewMux()
	mux.Handle(export.Handler(func(ctx context.Context, p *status.Progress, o exportOptions) error {
		for row := range o.Rows {
			if err := p.At(ctx, row+1, o.Rows, "exporting"); err != nil {
				return err
			}
		}
		p.Complete("finished")
		return nil
	}))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"exports"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := w.WorkOff(ctx); err != nil {
		return err
	}
	if s, _, err = status.Get(ctx, client, id); err != nil {
		return err
	}
	fmt.Printf("%s %d%% %v of %v %s\n", s.State, s.Percent(), s.Num, s.Total, s.Message)
	return nil
}

// A class whose arguments must not change reports its progress with a Policy.
func ExamplePolicy() {
	exporter := resque.Define1[int64]("Exporter", "exports", status.Policy{})
	mux := resque.NewMux()
	mux.Handle(exporter.Handler(func(ctx context.Context, id int64) error {
		for row := range 3 {
			if err := status.At(ctx, row+1, 3, "exporting"); err != nil {
				return err // the job was killed
			}
		}
		fmt.Println("exported", id)
		return nil
	}))
	client, err := resque.New(nil, resque.Config{Inline: mux}) // performs jobs at once
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.Enqueue(context.Background(), exporter.Job(42)); err != nil {
		fmt.Println(err)
	}
	// Output: exported 42
}
