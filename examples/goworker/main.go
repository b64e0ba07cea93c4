// Command goworker performs jobs that have moved from goworker. docs/from-goworker.md shows it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/resque"
)

var Resize = resque.Define2[string, int]("Resize", "images")

func main() { os.Exit(cli.Main(cli.App{Mux: jobs})) }

func jobs(context.Context, *resque.Client) (*resque.Mux, error) {
	mux := resque.NewMux()
	mux.Handle(Resize.Handler(resize))
	mux.HandleFunc("Rotate", old(rotate))
	return mux, nil
}

func resize(ctx context.Context, file string, width int) error {
	fmt.Println("Go resizes", file, width)
	return nil
}

// rotate has not changed: it is a function as goworker registers it.
func rotate(queue string, args ...interface{}) error {
	file, degrees := args[0].(string), int(args[1].(float64))
	fmt.Println("Go rotates", file, degrees, "from", queue)
	return nil
}

// old returns a handler that calls a function of goworker.
func old(fn func(queue string, args ...interface{}) error) resque.HandlerFunc {
	return func(ctx context.Context, job *resque.Payload) error {
		args := make([]any, len(job.Args))
		for i, arg := range job.Args {
			if err := json.Unmarshal(arg, &args[i]); err != nil {
				return fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
		return fn(job.Queue, args...)
	}
}
