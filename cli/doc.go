// Package cli is the goresque command as a package. [Main] runs it with your own jobs:
//
//	func main() { os.Exit(cli.Main(cli.App{Mux: jobs})) }
//
//	func jobs(_ context.Context, client *resque.Client) (*resque.Mux, error) {
//		mux := resque.NewMux()
//		mux.Handle(Exporter.Handler(export))
//		return mux, nil
//	}
//
// It corresponds to Ruby's rake environment resque:work. Flags take precedence over
// environment variables, which have Ruby's names if Ruby has them, variables over the
// settings of [App], and those over defaults. The exit status is 0 for success, 1 for
// failure and 2 for a wrong call, such as an error of [UsageErrorf].
package cli
