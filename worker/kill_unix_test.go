//go:build unix

package worker_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

var kills = flag.Int("kills", 5, "how often tests kill a worker; make soak takes more")

// TestMain runs the test binary as a worker, for tests that kill workers, or as a
// worker's child.
func TestMain(m *testing.M) {
	_, broken := os.Stat(os.Getenv("WORKER_TEST_BROKEN"))
	switch {
	case worker.IsChild() && broken == nil:
		os.Exit(9)
	case worker.IsChild() && os.Getenv("WORKER_TEST_DIES") != "":
		exit(dieBeforeTheJob())
	case worker.IsChild() && os.Getenv("WORKER_TEST_FORGETS") == "":
		exit(worker.ServeChild(context.Background(), forkJobs()))
	case os.Getenv("WORKER_TEST_LIMITED") != "":
		exit(beLimited(context.Background()))
	case os.Getenv("WORKER_TEST_KEPT") != "":
		exit(beKept(context.Background()))
	case os.Getenv("WORKER_TEST_RATED") != "":
		exit(beRated(context.Background()))
	case os.Getenv("WORKER_TEST_FORK") != "":
		exit(beForking(context.Background()))
	}
	if os.Getenv("WORKER_TEST_HOLD") != "" {
		exit(holdJobs(context.Background()))
	}
	if url := os.Getenv("WORKER_TEST_URL"); url != "" {
		if err := beKilled(context.Background(), url); err != nil {
			slog.Error("the worker to be killed", "err", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(redistest.Run(m))
}

func exit(err error) {
	if err != nil {
		slog.Error("a process of a test", "err", err)
		os.Exit(1)
	}
	os.Exit(0)
}

const killedSlots = 25

// beKilled runs a worker whose jobs first write to a ledger.
func beKilled(ctx context.Context, url string) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: url, DialTimeout: time.Minute})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int]("Exporter", "exports").Handler(func(ctx context.Context, id int) error {
		c, err := rdb.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Do("HINCRBY", "ledger", id, 1); err != nil {
			return err
		}
		<-time.After(time.Duration(rand.IntN(4)) * time.Millisecond)
		return nil
	}))
	mux.Handle(failsThrice.Handler(func(ctx context.Context, id int) error {
		a, err := retry.Attempt(ctx)
		if err != nil {
			return resque.Discard(err)
		}
		c, err := rdb.Conn(ctx)
		if err != nil {
			return resque.Discard(err)
		}
		defer c.Close()
		if _, err := c.Do("HINCRBY", fmt.Sprintf("attempt:%d", a.Attempt), id, 1); err != nil {
			return resque.Discard(err)
		}
		if a.Attempt <= 3 {
			return errors.New("one of three failures")
		}
		return nil
	}))
	w, err := worker.New(client, mux, worker.Config{
		Queues: []string{"exports"}, Concurrency: killedSlots, Logger: slog.New(slog.DiscardHandler),
		// Short, so that the next process prunes the last one.
		HeartbeatInterval: 200 * time.Millisecond, PruneAfter: time.Second, UntilEmpty: os.Getenv("WORKER_TEST_LAST") != "",
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// TestNoJobIsLostToKills kills a worker under load, again and again. Afterwards
// each job is in the ledger or failed because its worker died. Only jobs that ran at a
// kill may be both.
func TestNoJobIsLostToKills(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	jobs := 800 * *kills
	payloads := make([]any, 0, jobs+1)
	payloads = append(payloads, "resque:queue:exports")
	for id := range jobs {
		payloads = append(payloads, fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, id))
	}
	do(t, c, "SADD", "resque:queues", "exports")
	do(t, c, "RPUSH", payloads...)

	for range *kills {
		cmd := process(t, s)
		before := number(t, c, "resque:stat:processed")
		eventually(t, func() bool {
			return number(t, c, "resque:stat:processed") > before+int64(rand.IntN(300)) || do(t, c, "LLEN", "resque:queue:exports") == int64(0)
		}, "the worker does not work")
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	last := process(t, s, "WORKER_TEST_LAST=1")
	require.NoError(t, last.Wait())
	prune(t, s, recordedMux())

	ledger, err := redis.IntMap(c.Do("HGETALL", "ledger"))
	require.NoError(t, err)
	failed := failedIDs(t, c)
	var lost []int
	twice := 0
	for id := range jobs {
		performed := ledger[strconv.Itoa(id)]
		if performed == 0 && !slices.Contains(failed, id) {
			lost = append(lost, id)
		}
		if performed > 1 || (performed == 1 && slices.Contains(failed, id)) {
			twice++
		}
	}
	t.Logf("%d jobs, %d kills: %d failed for it, %d of them had begun", jobs, *kills, len(failed), twice)
	require.Empty(t, lost, "jobs that are nowhere")
	require.LessOrEqual(t, len(failed), *kills*killedSlots, "only jobs that run at a kill fail")
	require.LessOrEqual(t, twice, len(failed))
	require.EqualValues(t, jobs, number(t, c, "resque:stat:processed")+int64(len(failed)), "each job is counted once")
	requireGone(t, c)
}

// failsThrice defines jobs that fail three times and then succeed.
var failsThrice = resque.Define1[int]("FailsThrice", "exports", retry.Policy{Limit: 1000, Record: retry.LastOnly})

// TestAttemptsAreExactDespiteKills kills a worker again and again while jobs fail three
// times each. Each job succeeds in the end. An attempt is made twice only if its worker
// was killed before the first one was recorded, and each recorded failure is of another
// attempt.
func TestAttemptsAreExactDespiteKills(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	jobs := 400 * *kills
	payloads := []any{"resque:queue:exports"}
	for id := range jobs {
		payloads = append(payloads, fmt.Sprintf(`{"class":"FailsThrice","args":[%d]}`, id))
	}
	do(t, c, "SADD", "resque:queues", "exports")
	do(t, c, "RPUSH", payloads...)
	for range *kills {
		cmd := process(t, s)
		before := number(t, c, "resque:stat:processed")
		eventually(t, func() bool {
			return number(t, c, "resque:stat:processed") > before+int64(rand.IntN(600)) || do(t, c, "LLEN", "resque:queue:exports") == int64(0)
		}, "the worker does not work")
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	mux := resque.NewMux()
	mux.Handle(failsThrice.Handler(func(context.Context, int) error { return nil }))
	prune(t, s, mux)
	last := process(t, s, "WORKER_TEST_LAST=1")
	require.NoError(t, last.Wait())

	failed := requireFailedThrice(t, c, jobs, *kills*killedSlots)
	t.Logf("%d jobs, %d kills: %d attempts failed, %d were killed", jobs, *kills, failed, int64(3*jobs)-failed)
}

// requireFailedThrice asserts that all jobs of failsThrice have succeeded after three
// failed attempts, of which at most so many were killed. It returns the number of failures.
func requireFailedThrice(t *testing.T, c redis.Conn, jobs, killed int) int64 {
	t.Helper()
	atKills := int64(killed)
	assert.EqualValues(t, 0, do(t, c, "LLEN", "resque:failed"))
	assert.EqualValues(t, 0, do(t, c, "LLEN", "resque:queue:exports"))
	failed := number(t, c, "resque:stat:failed")
	assert.LessOrEqual(t, failed, int64(3*jobs), "a failed attempt counts once")
	assert.GreaterOrEqual(t, failed, int64(3*jobs)-atKills, "an attempt is left out only for one that was killed")
	assert.EqualValues(t, jobs, number(t, c, "resque:stat:processed")-failed, "each job has one success")
	succeeded := map[string]bool{}
	for attempt := int64(1); attempt < 1000; attempt++ {
		made, err := redis.IntMap(c.Do("HGETALL", fmt.Sprintf("attempt:%d", attempt)))
		require.NoError(t, err)
		for id, times := range made {
			assert.Equal(t, 1, times, "attempt %d of job %s", attempt, id)
			succeeded[id] = succeeded[id] || attempt > 3
		}
	}
	assert.Len(t, succeeded, jobs, "a job was lost")
	for id, yes := range succeeded {
		assert.True(t, yes, "job %s never succeeded", id)
	}
	requireNoCounters(t, c)
	requireGone(t, c)
	return failed
}

// TestAttemptsAreExactWhenKilledAtACommand kills a worker at a command that it sends to
// Redis, before Redis has it or before its reply arrives, while jobs fail three times each.
// With -kills=50 it does so at each command.
func TestAttemptsAreExactWhenKilledAtACommand(t *testing.T) {
	t.Parallel()
	step, last := 13, 80
	if *kills >= 50 {
		step, last = 1, 150
	}
	for name, f := range map[string]fate{"before the request": cut, "before the reply": swallow} {
		for k := 15; k <= last; k += step {
			t.Run(fmt.Sprintf("%s, command %d", name, k), func(t *testing.T) {
				t.Parallel()
				s := redistest.StartReal(t)
				c := s.Conn(t)
				const jobs = 4
				do(t, c, "SADD", "resque:queues", "exports")
				for id := range jobs {
					do(t, c, "RPUSH", "resque:queue:exports", fmt.Sprintf(`{"class":"FailsThrice","args":[%d]}`, id))
				}
				started := make(chan *exec.Cmd, 1)
				var calls atomic.Int64
				behind := relayTo(t, s, func([]string) fate {
					if calls.Add(1) != int64(k) {
						return pass
					}
					cmd := <-started
					_ = cmd.Process.Kill()
					return f
				})
				cmd := process(t, behind, "WORKER_TEST_LAST=1")
				started <- cmd
				_ = cmd.Wait()
				pruneDead(t, s)
				require.NoError(t, process(t, s, "WORKER_TEST_LAST=1").Wait())
				pruneDead(t, s) // a request of the killed worker may have come late
				requireFailedThrice(t, c, jobs, jobs)
			})
		}
	}
}

// pruneDead prunes all workers, whose process is dead, as soon as Redis has noticed that.
func pruneDead(t *testing.T, s *redistest.Server) {
	t.Helper()
	client := s.Client(t)
	mux := resque.NewMux()
	mux.Handle(failsThrice.Handler(func(context.Context, int) error { return nil }))
	ids, err := redis.Strings(s.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	for _, id := range ids {
		eventually(t, func() bool {
			_, err := client.Prune(t.Context(), id, resque.PruneOptions{Handler: mux})
			if !errors.Is(err, resque.ErrWorkerAlive) {
				require.NoError(t, err)
			}
			return err == nil
		}, "a dead worker seems to be alive")
	}
}

// process starts this test binary as a worker.
func process(t *testing.T, s *redistest.Server, environ ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "WORKER_TEST_URL="+s.URL), environ...)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// prune prunes the killed workers. It does not wait until another worker has seen for long
// enough that they are silent: on a busy machine that can take minutes.
func prune(t *testing.T, s *redistest.Server, mux *resque.Mux) {
	t.Helper()
	client := s.Client(t)
	for _, id := range registered(t, s.Conn(t)) {
		eventually(t, func() bool { // Redis may not have noticed yet that the connection is closed
			_, err := client.Prune(context.WithoutCancel(t.Context()), id, resque.PruneOptions{Handler: mux})
			return err == nil || errors.Is(err, resque.ErrNoWorker)
		}, "not pruned: "+id)
	}
}

func failedIDs(t *testing.T, c redis.Conn) []int {
	t.Helper()
	records, err := redis.Strings(c.Do("LRANGE", "resque:failed", 0, -1))
	require.NoError(t, err)
	var ids []int
	for _, r := range records {
		require.Contains(t, r, "Resque::PruneDeadWorkerDirtyExit")
		job := struct {
			Payload struct{ Args []int }
		}{}
		decode(t, r, &job)
		ids = append(ids, job.Payload.Args[0])
	}
	return ids
}
