// Command worker is the goresque command with the jobs of the tests. It is built
// as users build theirs, without the race detector, in which a process per job
// would spend its time.
package main

import (
	"context"
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/cli/testdata/jobs"
	"github.com/goresque/goresque/resque"
)

func main() {
	os.Exit(cli.Main(cli.App{Mux: func(context.Context, *resque.Client) (*resque.Mux, error) {
		mux := resque.NewMux()
		jobs.Add(mux)
		return mux, nil
	}}))
}
