// Command ruby performs a job that Ruby enqueues, and enqueues one that Ruby performs.
// docs/ruby.md shows it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
)

var (
	// Exporter is performed here.
	Exporter = resque.Define2[int64, string]("Exporter", "exports")
	// Mailer is performed by Ruby.
	Mailer = resque.Define1[string]("Mailer", "mail")
)

func jobs(_ context.Context, client *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(func(ctx context.Context, id int64, format string) error {
		fmt.Println("Go exports", id, "as", format)
		_, err := client.Enqueue(ctx, Mailer.Job("ann@example.com"))
		return err
	}))
	return mux, nil
}

func main() { os.Exit(cli.Main(cli.App{Mux: jobs})) }
