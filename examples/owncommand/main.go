// Command owncommand is the goresque command with your own jobs.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
)

var (
	// Ruby: module Greeter; @queue = :greetings; def self.perform(name).
	greeter = resque.Define1[string]("Greeter", "greetings")
	// Ruby: module Printer; @queue = :lines; def self.perform(text).
	printer = resque.Define1[string]("Printer", "lines")
)

func main() { os.Exit(cli.Main(cli.App{Mux: jobs})) }

// jobs returns the jobs that work performs. client uses the Redis that the flags name.
func jobs(_ context.Context, client *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(greeter.Handler(func(ctx context.Context, name string) error {
		_, err := client.Enqueue(ctx, printer.Job("hello "+name))
		return err
	}))
	mux.Handle(printer.Handler(func(_ context.Context, text string) error {
		fmt.Println(text)
		return nil
	}))
	return mux, nil
}
