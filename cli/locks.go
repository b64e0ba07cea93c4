package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// locksCommand lists and releases the locks of jobs.
func locksCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "locks",
		Short: "List and release the locks of unique jobs",
		Long: `Lists and releases the locks of jobs whose class has a unique.Policy, in Go, or one of Ruby's
plugins resque-lock, resque-lock-timeout, resque-loner and resque-uniqueness. A command that
was built without the classes recognizes the keys that the plugins make of a class and all
arguments, and says of others that it does not know who has them.`,
		Args: cobra.NoArgs, // with RunE: an unknown subcommand is an error
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(locksListCommand(env), locksReleaseCommand(env))
	return cmd
}

// withLocks calls fn with the locks in the command's Redis. The context ends at INT and
// TERM.
func (e *Env) withLocks(ctx context.Context, fn func(ctx context.Context, l *resque.Locks) error) error {
	return e.withJobs(ctx, func(ctx context.Context, client *resque.Client) error {
		ctx, stop := untilSignal(ctx)
		defer stop()
		return fn(ctx, client.Locks())
	})
}

func locksListCommand(env *Env) *cobra.Command {
	var most int64
	var unheld, asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the locks, and the jobs that have them",
		Long: `Lists the locks, and where the job of each lock is: queued, delayed, running, or no job.
It looks at all keys of Redis, in small steps, and at jobs until it has found those of all
locks.`,
		Example: `  goresque locks list
  goresque locks list --no-job
  goresque locks list --json | jq -r 'select(.state == "no job").key'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if most < 0 {
				return UsageErrorf("--jobs is %d; it must not be negative (0 looks at all)", most)
			}
			return env.withLocks(cmd.Context(), func(ctx context.Context, l *resque.Locks) error {
				list, err := l.List(ctx, resque.LockListOptions{Jobs: most})
				if err != nil {
					return err
				}
				printed := 0
				for _, lock := range list.Locks {
					if !unheld || lock.Holder.State == resque.LockNoJob && !lock.Damaged {
						env.printLock(lock, asJSON)
						printed++
					}
				}
				if printed == 0 && !asJSON {
					fmt.Fprintln(env.Stdout, "None")
				}
				return nil
			})
		},
	}
	cmd.Flags().Int64Var(&most, "jobs", 1_000_000, "maximum number of waiting jobs to look at; 0 for all")
	cmd.Flags().BoolVar(&unheld, "no-job", false, "only locks that no job has")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	return cmd
}

// lockJSON is a lock as --json prints it.
type lockJSON struct {
	Key    string           `json:"key"`
	Plugin string           `json:"plugin"`
	Class  string           `json:"class,omitempty"`
	State  resque.LockState `json:"state"`
	Queue  string           `json:"queue,omitempty"`
	Worker string           `json:"worker,omitempty"`
	Due    *time.Time       `json:"due,omitempty"`
	Why    string           `json:"why,omitempty"`  // why the state is unknown
	Left   *float64         `json:"left,omitempty"` // seconds until it expires; missing if it does not
	Text   string           `json:"text"`
	Damage string           `json:"damage,omitempty"`
}

func (e *Env) printLock(lock resque.Lock, asJSON bool) {
	if !asJSON {
		fmt.Fprintf(e.Stdout, "%s: %s", printable(lock.Key), lockHolder(lock))
		if lock.Left > 0 {
			fmt.Fprintf(e.Stdout, "; expires in %v", lock.Left.Round(time.Second))
		} else {
			fmt.Fprint(e.Stdout, "; does not expire")
		}
		fmt.Fprintln(e.Stdout)
		return
	}
	j := lockJSON{
		Key: lock.Key, Plugin: lock.Plugin, Class: lock.Class, State: lock.Holder.State, Queue: lock.Holder.Queue,
		Worker: lock.Holder.Worker, Why: lock.Holder.Why, Text: lock.Text,
	}
	if !lock.Holder.Due.IsZero() {
		j.Due = &lock.Holder.Due
	}
	if left := lock.Left.Seconds(); left > 0 {
		j.Left = &left
	}
	if lock.Damaged {
		j.Damage = "the key is not a string"
	}
	e.printJSON(j)
}

// lockHolder describes the job that has a lock.
func lockHolder(lock resque.Lock) string {
	h := lock.Holder
	switch {
	case lock.Damaged:
		return "not a lock: the key is not a string"
	case h.State == resque.LockQueued:
		return "queued in " + printable(h.Queue)
	case h.State == resque.LockDelayed:
		return "delayed until " + when(h.Due)
	case h.State == resque.LockRunning:
		return "running in " + printable(h.Worker)
	case h.State == resque.LockNoJob:
		return "no job"
	}
	return "unknown: " + h.Why
}

func locksReleaseCommand(env *Env) *cobra.Command {
	var unheld, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "release KEY…",
		Short: "Release locks by their keys, or all that no job has",
		Long: `Releases locks. The keys are those of 'goresque locks list'. The job that has a lock stays,
and an equal one can be enqueued. With --no-job, all locks are released that no job has: to
be sure, the command looks twice at all jobs, 5 seconds apart.`,
		Example: `  goresque locks release 'lock:Exporter-[42]'
  goresque locks release --no-job`,
		RunE: func(cmd *cobra.Command, keys []string) error {
			switch {
			case unheld && len(keys) > 0:
				return UsageErrorf("give either keys or --no-job, not both")
			case !unheld && len(keys) == 0:
				return UsageErrorf("give the keys of locks ('goresque locks list' lists them), or --no-job")
			}
			return env.withLocks(cmd.Context(), func(ctx context.Context, l *resque.Locks) error {
				if unheld {
					return env.releaseUnheld(ctx, l, yes, asJSON)
				}
				var wrong error
				for _, key := range keys {
					n, err := l.Release(ctx, key)
					if _, fromRedis := resque.Explain(err); err != nil && !fromRedis {
						err = fmt.Errorf("%w ('goresque locks list' lists the keys)", err)
					}
					if n > 0 {
						env.printChange(asJSON, map[string]any{"key": key, "released": true}, "released "+printable(key))
					} else if err == nil {
						err = fmt.Errorf("the lock %q has changed: look again with 'goresque locks list'", key)
					}
					wrong = errors.Join(wrong, err)
				}
				return wrong
			})
		},
	}
	cmd.Flags().BoolVar(&unheld, "no-job", false, "all locks that no job has")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per released lock")
	return cmd
}

func (e *Env) releaseUnheld(ctx context.Context, l *resque.Locks, yes, asJSON bool) error {
	if err := e.confirm(yes, "release all locks that no job has"); err != nil {
		return err
	}
	released, err := l.ReleaseUnheld(ctx, resque.LockListOptions{})
	for _, lock := range released {
		e.printChange(asJSON, map[string]any{"key": lock.Key, "released": true}, "released "+printable(lock.Key))
	}
	if err == nil && len(released) == 0 && !asJSON {
		fmt.Fprintln(e.Stdout, "None")
	}
	return err
}
