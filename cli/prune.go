package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// pruneFlags are the flags of the commands that prune workers.
type pruneFlags struct{ backend choice }

func (f *pruneFlags) add(cmd *cobra.Command) {
	f.backend.of = backends()
	cmd.Flags().Var(&f.backend, "failure-backend", "where the failure of a dead worker's job is recorded (default redis)")
	FromEnv(cmd, "failure-backend", "FAILURE_BACKEND")
}

// options returns the options for pruning with the jobs and the failure settings of App.
func (f *pruneFlags) options(ctx context.Context, env *Env, client *resque.Client) (resque.PruneOptions, error) {
	mux, err := env.newMux(ctx, client)
	if err != nil {
		return resque.PruneOptions{}, err
	}
	opts := resque.PruneOptions{
		Handler: mux, FailureLists: env.app.Worker.FailureLists, FailureBackends: env.app.Worker.FailureBackends, Logger: env.Logger(),
	}
	switch f.backend.value {
	case "redis":
		opts.FailureLists = resque.FailuresTogether
	case "redis_multi_queue":
		opts.FailureLists = resque.FailuresByQueue
	}
	return opts, nil
}
