// Command rails performs jobs of the Rails app whose jobs are in jobs.rb:
//
//	QUEUE=exports go run ./examples/rails work
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// Options are the keyword arguments of ExportJob.
type Options struct {
	Format string `json:"format"`
}

var (
	// ExportJob is performed here.
	ExportJob = activejob.Define2[int64, activejob.Keywords[Options]]("ExportJob", "exports")
	// MailJob is performed by Rails.
	MailJob = activejob.Define1[string]("MailJob", "mail")
)

func jobs(_ context.Context, client *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(ExportJob.Handler(func(ctx context.Context, id int64, options activejob.Keywords[Options]) error {
		fmt.Println("Go exports", id, "as", options.Of.Format)
		_, err := client.Enqueue(ctx, MailJob.Job("ann@example.com"))
		return err
	}))
	return mux, nil
}

func main() { os.Exit(cli.Main(cli.App{Mux: jobs})) }
