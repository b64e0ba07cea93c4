// Command goresque enqueues, performs and shows Resque jobs, and runs a demo.
package main

import (
	"os"
	_ "time/tzdata" // for images without time zones

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/cli/top"
	"github.com/goresque/goresque/demo"
)

func main() {
	app := demo.App(os.Getenv)
	app.Commands = append(app.Commands, top.Command)
	os.Exit(cli.Main(app))
}
