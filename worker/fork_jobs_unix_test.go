//go:build unix

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/worker"
)

// forkJobs returns the jobs for tests of a process per job. They write what they do,
// and in which process, to the file that is their first argument.
func forkJobs() *resque.Mux {
	mux := resque.NewMux()
	mux.Use(worker.AfterFork(func(_ context.Context, job *resque.Payload) error {
		if job.Class == "Killable" {
			return nil // its first argument is not the file
		}
		return jotJob(job, "after fork")
	}))
	for class, perform := range map[string]func(ctx context.Context, file, what string) error{
		"Note":     func(context.Context, string, string) error { return nil },
		"Exit":     func(_ context.Context, _, what string) error { os.Exit(len(what)); return nil },
		"Kill":     killOneself,
		"Panic":    func(_ context.Context, _, what string) error { panic(what) },
		"Goexit":   func(context.Context, string, string) error { runtime.Goexit(); return nil },
		"Fail":     func(_ context.Context, _, what string) error { return &traced{what} },
		"Skip":     func(context.Context, string, string) error { return resque.ErrDontPerform },
		"Print":    printBoth,
		"Polite":   func(ctx context.Context, _, what string) error { return polite(ctx, what) },
		"Stubborn": func(ctx context.Context, _, what string) error { return polite(context.WithoutCancel(ctx), what) },
		"Fails":    failWhenTold,
		"Busy":     busy,
		"Look":     look,
		"Deaf":     deaf,
		"Heir":     heir,
		"Garbage":  garbage,
		"Cut":      func(context.Context, string, string) error { return &resque.DirtyExitError{Message: "cut off"} },
	} {
		var limit time.Duration
		if class == "Note" {
			limit = time.Hour // whatever the worker's Timeout: on a busy machine it can take long
		}
		mux.Handle(resque.Route{Class: class, Timeout: limit, Handler: resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
			var file, what string
			if err := job.Bind(&file, &what); err != nil {
				return err
			}
			if err := jot(file, "%s in %d", class, os.Getpid()); err != nil {
				return err
			}
			return perform(ctx, file, what)
		})}.OnFailure(func(_ context.Context, job *resque.Payload, err error) error {
			return jotJob(job, fmt.Sprintf("hook in %d: %.60v", os.Getpid(), err))
		}))
	}
	for class, err := range map[string]error{
		"Snoozes": resque.Snooze(0), "Discards": resque.Discard(errChild), "WaitsLonger": resque.RetryIn(time.Hour, errChild),
		"Retries": errChild, "Refuses": errors.New("not this one"),
	} {
		mux.HandleFunc(class, func(_ context.Context, job *resque.Payload) error {
			var file string
			if err := job.Bind(&file); err != nil {
				return err
			}
			if s := (sheet{file}); class == "Snoozes" && s.count(class) > 0 {
				err = nil
			}
			return errors.Join(jot(file, "%s", class), err)
		}, retry.Policy{Limit: 2, Record: retry.LastOnly, Only: func(err error) bool { return errors.Is(err, errChild) }},
			resque.OnFailure(func(_ context.Context, job *resque.Payload, _ error) error {
				return jotJob(job, "hook of "+job.Class)
			}))
	}
	mux.Handle(activejob.Route("RailsJob", func(_ context.Context, job *resque.Payload) error {
		var file string
		if err := activejob.Bind(job, &file); err != nil {
			return err
		}
		return errors.Join(jot(file, "%s", job.Class), errChild)
	}, activejob.Retry{Match: func(err error) bool { return errors.Is(err, errChild) }, Attempts: 3, Wait: activejob.NoWait},
		resque.OnFailure(func(_ context.Context, job *resque.Payload, _ error) error { return jotJob(job, "hook of "+job.Class) })))
	mux.Handle(status.Define[string]("Killable", "q").Handler(func(ctx context.Context, _ *status.Progress, file string) error {
		if err := jot(file, "Killable"); err != nil {
			return err
		}
		<-ctx.Done()
		return errors.Join(jot(file, "cause: %v", context.Cause(ctx)), ctx.Err())
	}))
	mux.HandleFunc("Nothing", func(context.Context, *resque.Payload) error { return nil })
	return mux
}

var errChild = errors.New("an error of a child")

// jot appends a line to a file, in one piece.
func jot(file, format string, args ...any) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, format+"\n", args...)
	return err
}

func jotJob(job *resque.Payload, text string) error {
	if len(job.Args) == 0 {
		return nil
	}
	var file string
	if err := json.Unmarshal(job.Args[0], &file); err != nil {
		return err
	}
	return jot(file, "%s", text)
}

func killOneself(_ context.Context, _, what string) error {
	sig := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "SEGV": syscall.SIGSEGV, "ABRT": syscall.SIGABRT}[what]
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		return err
	}
	<-time.After(time.Minute)
	return nil
}

// traced is an error with an exception name and a backtrace.
type traced struct{ text string }

func (e *traced) Error() string         { return e.text }
func (e *traced) ExceptionName() string { return "Acme::Trouble" }
func (e *traced) Backtrace() []string   { return []string{"acme.rb:1", "acme.rb:2"} }

func printBoth(_ context.Context, _, what string) error {
	_, err := fmt.Fprintln(os.Stdout, "to stdout:", what)
	_, worse := fmt.Fprintln(os.Stderr, "to stderr:", what)
	return errors.Join(err, worse)
}

func polite(ctx context.Context, length string) error {
	limit, err := time.ParseDuration(length)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("sleeping: %w", ctx.Err())
	case <-time.After(limit):
		return nil
	}
}

// failWhenTold fails with an error of its own when it is told to end.
func failWhenTold(ctx context.Context, _, what string) error {
	<-ctx.Done()
	return &traced{what}
}

// busy never releases its thread.
func busy(context.Context, string, string) error {
	turns := 0
	for end := time.Now().Add(time.Minute); time.Now().Before(end); turns++ {
		turns--
	}
	return nil
}

// look writes the environment and the open files of a process that a job starts.
func look(ctx context.Context, file, _ string) error {
	out, err := exec.CommandContext(ctx, "sh", "-c", "env; ls -l /proc/self/fd").CombinedOutput()
	if err != nil {
		return err
	}
	return jot(file, "%s", out)
}

// deaf closes the pipe to its worker, and goes on.
func deaf(ctx context.Context, _, length string) error {
	if err := syscall.Close(4); err != nil {
		return err
	}
	return polite(context.WithoutCancel(ctx), length)
}

// heir leaves the pipe to a process that outlives the job.
func heir(_ context.Context, file, length string) error {
	cmd := exec.Command("sleep", length)
	cmd.ExtraFiles = []*os.File{os.NewFile(4, "the pipe")}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := jot(file, "heir %d", cmd.Process.Pid); err != nil {
		return err
	}
	os.Exit(3)
	return nil
}

// garbage writes over the pipe to its worker.
func garbage(ctx context.Context, _, length string) error {
	if _, err := syscall.Write(4, []byte(strings.Repeat("\xff", 20))); err != nil {
		return err
	}
	return polite(context.WithoutCancel(ctx), length)
}

// dieBeforeTheJob is a child that is ready, and ends when it gets a job.
func dieBeforeTheJob() error {
	if _, err := os.NewFile(4, "outcomes").WriteString("r\x00\x00\x00\x04\x00\x00\x00\x00null"); err != nil {
		return err
	}
	if _, err := os.NewFile(3, "jobs").Read(make([]byte, 1)); err != nil {
		return err
	}
	os.Exit(7)
	return nil
}
