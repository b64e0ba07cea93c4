//go:build unix

package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli/testdata/jobs"
	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
)

// TestSignalTable repeats with the command what Ruby's worker was recorded to do. A
// signal to the whole process group, as foreman, Heroku and systemd send it, has the
// same result as one to the worker alone. The cases mostly wait, so many run at the
// same time.
func TestSignalTable(t *testing.T) {
	t.Parallel()
	type observation struct {
		want  golden.SignalCase
		name  string
		group bool
		seen  observed
		err   error
	}
	var all []*observation
	bin := filepath.Join(t.TempDir(), "worker")
	out, err := exec.Command("go", "build", "-o", bin, "./testdata/worker").CombinedOutput()
	require.NoError(t, err, "%s", out)
	var running sync.WaitGroup
	places := make(chan struct{}, 12)
	observing := func(want golden.SignalCase, name string, group bool) {
		o := &observation{want: want, name: name, group: group}
		all = append(all, o)
		s := redistest.Start(t)
		c := s.Conn(t)
		running.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			o.seen, o.err = observe(c, signalWorker(bin, s, want.Env), want, group)
		})
	}
	for _, c := range signalCases(t) {
		observing(c, c.Case, false)
		if sig := c.Signals[0]; sig == "TERM" || sig == "INT" {
			observing(c, c.Case+", to the group", true)
		}
	}
	running.Wait()
	enough := time.Now().Add(time.Minute)
	for _, o := range all {
		// On a busy machine a case can be late by chance. It is then repeated alone, and not
		// compared with the recording if that happens each time.
		for try := 0; try < 5 && o.err == nil && !o.seen.inTime(o.want) && time.Now().Before(enough); try++ {
			t.Logf("%s: again, it was late: %v, %v, %v", o.name, o.seen.late, o.seen.stood, o.seen.took)
			s := redistest.Start(t)
			o.seen, o.err = observe(s.Conn(t), signalWorker(bin, s, o.want.Env), o.want, o.group)
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, o.err)
			requireCase(t, o.want, o.seen)
		})
	}
}

// observed is what happened to a worker and its job.
type observed struct {
	took, late  time.Duration // late: how much more than 0.3 s after the job's start the first signal came
	stood       time.Duration // the longest time for which this process stood still
	status      syscall.WaitStatus
	log, paused []string
	failed      []golden.SignalFailure
	queue       []string
	processed   int
	failedCount int
	workersLeft int
}

// inTime reports whether the signals came, and the worker ended, when they should. Otherwise
// the job may have ended before a signal, for example.
func (o *observed) inTime(want golden.SignalCase) bool {
	return max(o.late, o.stood) < 300*time.Millisecond && o.took <= jobs.Span(want.SecondsToExit)+time.Second
}

// standstill measures until end is called for how long at most this process stood still.
func standstill() (end func() time.Duration) {
	ticker := time.NewTicker(10 * time.Millisecond)
	done, longest := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		most, last := time.Duration(0), time.Now()
		for {
			select {
			case <-ticker.C:
				now := time.Now()
				most, last = max(most, now.Sub(last)), now
			case <-done:
				longest <- max(most, time.Since(last))
				return
			}
		}
	}()
	return func() time.Duration {
		ticker.Stop()
		close(done)
		return <-longest
	}
}

func requireCase(t *testing.T, want golden.SignalCase, seen observed) {
	t.Helper()
	t.Logf("| %s | %s after %.1f s | %s after %.1f s |", want.Case,
		outcome(want.Failed, want.Processed, want.FailedCount, want.LeftInQueue), want.SecondsToExit,
		outcome(seen.failed, seen.processed, seen.failedCount, len(seen.queue)), seen.took.Seconds())
	if !seen.inTime(want) {
		t.Logf("the machine was too busy to compare anything: %v, %v, %v", seen.late, seen.stood, seen.took)
		return
	}
	// Ruby checks its child every 0.1 s, and the recording is rounded to that.
	assert.GreaterOrEqual(t, seen.took+seen.late+100*time.Millisecond, jobs.Span(want.SecondsToExit), "it ended too early")
	if want.TermSignal != 0 {
		assert.Equal(t, want.TermSignal, int(seen.status.Signal()))
	} else {
		assert.Zero(t, seen.status, "exit status")
	}
	assert.Equal(t, want.Log, seen.log, "what the jobs logged")
	if want.LogAfterPause != nil {
		assert.Equal(t, want.LogAfterPause, seen.paused)
	}
	assert.ElementsMatch(t, want.Failed, seen.failed)
	assert.Len(t, seen.queue, want.LeftInQueue, "left in the queue")
	assert.Equal(t, want.Processed, seen.processed, "processed")
	assert.Equal(t, want.FailedCount, seen.failedCount, "failed")
	assert.Equal(t, want.WorkersLeft, seen.workersLeft, "workers left")
	if want.LeftInQueue == 2 {
		assert.Equal(t, payload(want.Job, want.JobSeconds), seen.queue[0], "back at the front, unchanged")
	}
}

// outcome describes what happened to a job in a few words.
func outcome(failed []golden.SignalFailure, processed, count, left int) string {
	text := "done"
	if processed == 0 {
		text = "not ended"
	}
	for _, f := range failed {
		text = f.Exception
	}
	return fmt.Sprintf("%s, processed %d, failed %d, left %d,", text, processed, count, left)
}

// observe runs a case. It does not use testing.T, because it runs at the same time as
// other cases.
func observe(c redis.Conn, cmd *exec.Cmd, want golden.SignalCase, group bool) (seen observed, err error) {
	for _, job := range []string{payload(want.Job, want.JobSeconds), payload("Polite", 0.1)} {
		if _, err := c.Do("RPUSH", "resque:queue:jobs", job); err != nil {
			return seen, err
		}
	}
	if err := cmd.Start(); err != nil {
		return seen, err
	}
	killer := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer killer.Stop()
	// This waits for the first entry and leaves it where it is.
	if _, err := redis.String(redis.DoWithTimeout(c, 2*patience, "BLMOVE", "log", "log", "LEFT", "LEFT", patience.Seconds())); err != nil {
		return seen, fmt.Errorf("waiting for the job to begin: %w", err)
	}
	nanos, err := redis.Int64(c.Do("LINDEX", "log-times", 0))
	if err != nil {
		return seen, err
	}
	begun := time.Unix(0, nanos)
	stood := standstill()
	defer func() { seen.stood = stood() }()
	<-time.After(time.Until(begun.Add(300 * time.Millisecond)))
	first := time.Now()
	seen.late = max(0, first.Sub(begun)-300*time.Millisecond)
	for _, step := range want.Signals {
		if wait, ok := step.(float64); ok {
			<-time.After(jobs.Span(wait))
			if seen.paused == nil {
				seen.paused, err = redis.Strings(c.Do("LRANGE", "log", 0, -1))
			}
		} else {
			err = syscall.Kill(target(cmd, group), signalNamed(step.(string)))
		}
		if err != nil {
			return seen, err
		}
	}
	_ = cmd.Wait() // the result is in ProcessState
	seen.took = time.Since(first)
	seen.status = cmd.ProcessState.Sys().(syscall.WaitStatus)
	return seen, seen.read(c)
}

func target(cmd *exec.Cmd, group bool) int {
	if group {
		return -cmd.Process.Pid
	}
	return cmd.Process.Pid
}

// signalWorker is a worker that leads its own process group.
func signalWorker(bin string, s *redistest.Server, env map[string]string) *exec.Cmd {
	cmd := exec.Command(bin, "work")
	cmd.Env = append(os.Environ(), "REDIS_URL="+s.URL, "QUEUE=jobs")
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
	return cmd
}

// read reads the state in Redis after the case.
func (o *observed) read(c redis.Conn) (err error) {
	var bad error
	o.log, err = redis.Strings(c.Do("LRANGE", "log", 0, -1))
	bad = errors.Join(bad, err)
	o.queue, err = redis.Strings(c.Do("LRANGE", "resque:queue:jobs", 0, -1))
	bad = errors.Join(bad, err)
	counts, err := redis.Ints(c.Do("MGET", "resque:stat:processed", "resque:stat:failed"))
	bad = errors.Join(bad, err)
	if err == nil {
		o.processed, o.failedCount = counts[0], counts[1]
	}
	o.workersLeft, err = redis.Int(c.Do("SCARD", "resque:workers"))
	bad = errors.Join(bad, err)
	records, err := redis.ByteSlices(c.Do("LRANGE", "resque:failed", 0, -1))
	bad = errors.Join(bad, err)
	for _, record := range records {
		var f struct {
			golden.SignalFailure
			Payload struct{ Class string }
		}
		if err := json.Unmarshal(record, &f); err != nil {
			return fmt.Errorf("%s: %w", record, err)
		}
		f.Class = f.Payload.Class
		f.Error = regexp.MustCompile(`pid \d+`).ReplaceAllString(f.Error, "pid {PID}")
		o.failed = append(o.failed, f.SignalFailure)
	}
	return bad
}

func payload(class string, length float64) string {
	return fmt.Sprintf(`{"extra":[],"class":%q,"args":[%s]}`, class, jobs.Number(length))
}

func signalNamed(name string) syscall.Signal {
	return map[string]syscall.Signal{
		"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "KILL": syscall.SIGKILL,
		"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "CONT": syscall.SIGCONT,
	}[name]
}
