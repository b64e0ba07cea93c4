// Command sidekiq performs a job that has moved from Sidekiq. docs/from-sidekiq.md shows it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
)

var Exporter = resque.Define1[int64]("Exporter", "exports",
	retry.Policy{Limit: 5, Delay: retry.DelayFunc(likeSidekiq), Record: retry.LastOnly},
)

func main() { os.Exit(cli.Main(cli.App{Mux: jobs})) }

func jobs(context.Context, *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(export))
	return mux, nil
}

func export(ctx context.Context, exportID int64) error {
	if exportID < 0 {
		return errors.New("no such export")
	}
	fmt.Println("Go exports", exportID)
	return nil
}

// likeSidekiq returns Sidekiq's delays, 15 s, 16 s, 31 s, 96 s and so on, without their
// random part.
func likeSidekiq(attempt int, _ error) time.Duration {
	n := attempt - 1
	return time.Duration(n*n*n*n+15) * time.Second
}
