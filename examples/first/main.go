// Command first is the program of the README: a command with one job.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
)

// Ruby: module Exporter; @queue = :exports; def self.perform(export_id).
var Exporter = resque.Define1[int64]("Exporter", "exports")

func main() { os.Exit(cli.Main(cli.App{Mux: jobs})) }

func jobs(context.Context, *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(Exporter.Handler(export))
	return mux, nil
}

func export(ctx context.Context, exportID int64) error {
	fmt.Println("exporting", exportID)
	return nil
}
