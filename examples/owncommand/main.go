// Command owncommand is the goresque command with your own jobs.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
)

// Ruby: module Greeter; @queue = :greetings; def self.perform(name).
var greeter = resque.Define1[string]("Greeter", "greetings")

func main() {
	mux := resque.NewMux()
	mux.Handle(greeter.Handler(func(_ context.Context, name string) error {
		fmt.Println("hello", name)
		return nil
	}))
	os.Exit(cli.Main(cli.App{Mux: mux}))
}
