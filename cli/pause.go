package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// pauseCommand stops workers from taking jobs.
func pauseCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "pause [QUEUE]",
		Short: "Have all workers take no more jobs, or none of one queue",
		Long: `Has all workers, Go's and Ruby's, take no more jobs until 'resume'; those in hand
go on. With QUEUE, none of that queue: Ruby's workers obey that where they have
the resque-pause plugin.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if len(args) == 0 {
					return env.done(client.Pause(ctx), "paused: no worker takes a job")
				}
				return env.done(client.PauseQueue(ctx, args[0]), "paused: no worker takes a job of queue "+printable(args[0]))
			})
		},
	}
}

// resumeCommand undoes pause.
func resumeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "resume [QUEUE]",
		Short: "Have the workers take jobs again, after pause",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if len(args) == 0 {
					return env.done(client.Resume(ctx), "resumed; queues that are paused by themselves stay so")
				}
				return env.done(client.ResumeQueue(ctx, args[0]), "resumed queue "+printable(args[0]))
			})
		},
	}
}

// withClient calls fn with a client of the Redis that the command was told of.
func (e *Env) withClient(ctx context.Context, fn func(ctx context.Context, client *resque.Client) error) error {
	rdb, err := e.OpenRedis(ctx)
	if err != nil {
		return err
	}
	defer rdb.Close()
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	return fn(ctx, client)
}

// done says that something was done, unless err says that it was not.
func (e *Env) done(err error, said string) error {
	if err == nil {
		fmt.Fprintln(e.Stdout, said)
	}
	return err
}
