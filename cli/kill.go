package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
)

// killCommand kills a worker's process and unregisters all its slots.
//
// Ruby: resque kill, which kills the pid even if the worker is on another host.
func killCommand(env *Env) *cobra.Command {
	var flags pruneFlags
	cmd := &cobra.Command{
		Use:   "kill ID",
		Short: "Kill a worker on this host; its running jobs fail",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, process, err := local(args[0])
			if err != nil {
				return err
			}
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				opts, err := flags.options(ctx, env, client)
				if err != nil {
					return err
				}
				return kill(ctx, env, client, pid, process, opts)
			})
		},
	}
	flags.add(cmd)
	return cmd
}

// local parses the id of a worker on this host. The ids of all slots of a process
// have the same process part.
func local(id string) (pid int, process string, err error) {
	parts, ok := wire.ParseWorkerID(id)
	if !ok {
		return 0, "", UsageErrorf("%q is not the id of a worker: 'goresque list' shows the ids", id)
	}
	host, err := os.Hostname()
	if err != nil {
		return 0, "", fmt.Errorf("reading the host name: %w", err)
	}
	if parts.Host != host {
		return 0, "", fmt.Errorf("worker %s runs on host %s, and this is %s: run the command there", id, parts.Host, host)
	}
	if parts.PID() <= 1 {
		return 0, "", UsageErrorf("%q does not contain a process id that can be killed", id)
	}
	return parts.PID(), parts.Process(), nil
}

func kill(ctx context.Context, env *Env, client *resque.Client, pid int, process string, opts resque.PruneOptions) error {
	workers, err := client.Workers(ctx)
	if err != nil {
		return err
	}
	var slots []string
	for _, w := range workers {
		if parts, ok := wire.ParseWorkerID(w.ID); ok && parts.Process() == process {
			slots = append(slots, w.ID)
		}
	}
	if len(slots) == 0 { // another process may have the pid now
		return fmt.Errorf("no worker of process %d is registered", pid)
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	switch {
	case errors.Is(err, os.ErrProcessDone):
		fmt.Fprintf(env.Stdout, "** process %d is not running\n", pid)
	case err != nil:
		return fmt.Errorf("killing process %d: %w", pid, err)
	default:
		fmt.Fprintf(env.Stdout, "** killed process %d with its slots: %d\n", pid, len(slots))
	}
	opts.Force = true // Redis may still have the connection of the process
	for _, id := range slots {
		if _, err := client.Prune(ctx, id, opts); err != nil && !errors.Is(err, resque.ErrNoWorker) {
			return err
		}
		fmt.Fprintln(env.Stdout, "** removed "+printable(id))
	}
	return nil
}
