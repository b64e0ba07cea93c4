// Command goresque enqueues, performs and shows Resque jobs, and runs a demo.
package main

import (
	"os"
	_ "time/tzdata" // for images without time zones

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/demo"
)

func main() {
	os.Exit(cli.Main(demo.App(os.Getenv)))
}
