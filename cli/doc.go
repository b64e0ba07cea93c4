// Package cli is the goresque command as a package, so that anybody can build
// it with their own jobs, in ten lines of main:
//
//	func main() {
//		mux := resque.NewMux()
//		mux.Handle(Exporter.Handler(export))
//		os.Exit(cli.Main(cli.App{Mux: mux}))
//	}
//
// It plays the part of Ruby's rake environment resque:work. Flags win over
// environment variables, which are Ruby's where Ruby has them, and those over
// defaults. The exit status is 0 for success, 1 for failure, 2 for a wrong call.
package cli
