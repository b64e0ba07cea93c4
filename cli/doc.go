// Package cli is the goresque command as a package. With it you build the same
// command with your own jobs:
//
//	func main() {
//		mux := resque.NewMux()
//		mux.Handle(Exporter.Handler(export))
//		os.Exit(cli.Main(cli.App{Mux: mux}))
//	}
//
// It takes the place of Ruby's rake environment resque:work. Flags override
// environment variables, and these override defaults. The variables have Ruby's
// names, if Ruby has them. The exit status is 0 for success, 1 for failure and 2 for
// wrong usage.
package cli
