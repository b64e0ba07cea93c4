package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// pauseCommand stops workers from taking jobs.
func pauseCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "pause [QUEUE]",
		Short: "Stop all workers from taking jobs, or from taking jobs of one queue",
		Long: `Stops all workers, in Go and Ruby, from taking jobs until 'resume'. Running jobs are
not affected. With QUEUE, only that queue is paused; Ruby workers need the
resque-pause plugin for that.`,
		Args: noneOrQueue,
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if len(args) == 0 {
					return env.done(client.Pause(ctx), "paused all workers")
				}
				if err := env.done(client.PauseQueue(ctx, args[0]), "paused queue "+printable(args[0])); err != nil {
					return err
				}
				return env.noteQueue(ctx, client, args[0])
			})
		},
	}
}

// resumeCommand undoes pause.
func resumeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "resume [QUEUE]",
		Short: "Let workers take jobs again after pause",
		Args:  noneOrQueue,
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				if len(args) == 0 {
					return env.done(client.Resume(ctx), "resumed all workers; queues that were paused by name stay paused")
				}
				if err := env.done(client.ResumeQueue(ctx, args[0]), "resumed queue "+printable(args[0])); err != nil {
					return err
				}
				return env.noteQueue(ctx, client, args[0])
			})
		},
	}
}

// noneOrQueue checks the arguments of pause and resume. An empty name, as of a variable that is
// not set, is refused: no job is in that queue, so nothing would be paused.
func noneOrQueue(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && strings.TrimSpace(args[0]) == "" {
		return UsageErrorf("QUEUE is empty: name a queue, or omit it for all workers")
	}
	return cobra.MaximumNArgs(1)(cmd, args)
}

// noteQueue notes that a queue does not exist, which may be a typing error, and names the queue
// that may be meant. It is not an error: the queue may get its first job later.
func (e *Env) noteQueue(ctx context.Context, client *resque.Client, name string) error {
	queues, err := client.Queues(ctx)
	if err != nil || slices.Contains(queues, name) {
		return err
	}
	note := "'goresque queues' lists the queues"
	if meant := nearest(name, queues); meant != "" {
		note = "did you mean " + printable(meant) + "?"
	}
	fmt.Fprintf(e.Stderr, "Queue %s does not exist yet: %s\n", printable(name), note)
	return nil
}

// done prints said, unless err is set.
func (e *Env) done(err error, said string) error {
	if err == nil {
		fmt.Fprintln(e.Stdout, said)
	}
	return err
}
