// Command worker is the goresque command with the jobs of the tests. It is built
// as users build theirs, without the race detector, in which a process per job
// would spend its time.
package main

import (
	"os"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/cli/testdata/jobs"
	"github.com/goresque/goresque/resque"
)

func main() {
	mux := resque.NewMux()
	jobs.Add(mux)
	os.Exit(cli.Main(cli.App{Mux: mux}))
}
