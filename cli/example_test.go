package cli_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/worker"
)

// A command with your own jobs. Its main function is os.Exit(cli.Main(app)).
func Example() {
	redis, err := embedded.Start("")
	if err != nil {
		panic(err)
	}
	defer redis.Close()
	exporter := resque.Define1[int64]("Exporter", "exports")

	app := cli.App{
		Mux: func(_ context.Context, _ *resque.Client) (*resque.Mux, error) {
			mux := resque.NewMux()
			mux.Handle(exporter.Handler(func(_ context.Context, exportID int64) error {
				fmt.Println("exporting", exportID)
				return nil
			}))
			return mux, nil
		},
		Worker: worker.Config{StopTimeout: 30 * time.Second},
	}
	environ := []string{"REDIS_URL=" + redis.URL(), "QUEUE=exports", "INTERVAL=0"}
	app.Run(context.Background(), []string{"enqueue", "Exporter", "42"}, environ, os.Stdout, os.Stderr)
	app.Run(context.Background(), []string{"work"}, environ, os.Stdout, os.Stderr)
	// Output:
	// queued on exports: {"class":"Exporter","args":[42]}
	// exporting 42
}
