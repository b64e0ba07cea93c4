//go:build unix

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

const keptLimit, keptSlots = 4, 10

// keptClasses defines jobs that hold something in Redis while they wait and run.
func keptClasses() []resque.Definition1[int] {
	attempts := retry.Policy{Limit: keptLimit, Record: retry.LastOnly}
	places := limit.Policy{Concurrency: 3, By: limit.KeyFunc(func(job *resque.Payload) string { return string(job.Args[0][:1]) })}
	return []resque.Definition1[int]{
		resque.Define1[int]("Kept", "kept", attempts, places, unique.Policy{}),
		resque.Define1[int]("Begun", "kept", attempts, places, unique.Policy{Style: unique.Uniqueness, Until: unique.Done}),
		resque.Define1[int]("Loner", "kept", attempts, unique.Policy{Style: unique.Loner}),
	}
}

// keptMux performs the jobs. It notes each attempt. Of five jobs, one fails each time, and
// two fail once.
func keptMux(rdb *resque.Redis) *resque.Mux {
	mux := resque.NewMux()
	for _, class := range keptClasses() {
		mux.Handle(class.Handler(func(ctx context.Context, id int) error {
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
			<-time.After(time.Duration(rand.IntN(3)) * time.Millisecond)
			if keptFails(id, a.Attempt) {
				return errors.New("a failure")
			}
			_, err = c.Do("SADD", "succeeded", id)
			return err
		}))
	}
	return mux
}

func keptFails(id int, attempt int64) bool { return id%5 == 0 || id%5 < 3 && attempt == 1 }

// beKept runs a worker for the jobs of keptMux.
func beKept(ctx context.Context) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: os.Getenv("WORKER_TEST_URL"), DialTimeout: time.Minute})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	w, err := worker.New(client, keptMux(rdb), worker.Config{
		Queues: []string{"kept"}, Concurrency: keptSlots, Logger: slog.New(slog.DiscardHandler),
		HeartbeatInterval: 200 * time.Millisecond, PruneAfter: time.Second, UntilEmpty: os.Getenv("WORKER_TEST_LAST") != "",
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// killer kills a process at a command that it sends through a relay.
type killer struct {
	cmd    *exec.Cmd
	left   atomic.Int64 // commands until it is killed
	before bool         // Redis does not get that command
}

func (k *killer) decide() fate {
	if k == nil || k.left.Add(-1) != 0 {
		return pass
	}
	_ = k.cmd.Process.Kill()
	if k.before {
		return cut
	}
	return swallow
}

// TestNothingIsHeldAfterKills kills two workers at a time, again and again, one of them at a
// command that it sends to Redis, while their jobs hold locks, places of limits and counters.
// At the end each job has succeeded, or has failed after exactly its attempts, and no
// lock, place or counter is left.
func TestNothingIsHeldAfterKills(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	client := s.Client(t)
	mux := keptMux(s.Open(t))
	jobs := 60 * *kills
	enqueueKept(t, client, jobs)

	var current atomic.Pointer[killer]
	behind := relayTo(t, s, func([]string) fate { return current.Load().decide() })
	ended := func() bool {
		return do(t, c, "EXISTS", "resque:queue:kept", "resque:delayed_queue_schedule") == int64(0)
	}
	killed := 0
	for ; killed < *kills; killed += 2 {
		one := process(t, s, "WORKER_TEST_KEPT=1")
		k := &killer{before: rand.IntN(2) == 0}
		k.left.Store(20 + rand.Int64N(150))
		k.cmd = process(t, behind, "WORKER_TEST_KEPT=1")
		current.Store(k)
		before, much := number(t, c, "resque:stat:processed"), rand.Int64N(100)
		eventually(t, func() bool {
			if do(t, c, "EXISTS", "resque:queue:kept") == int64(0) {
				runDelayed(t, client)
			}
			return number(t, c, "resque:stat:processed") > before+much || ended()
		}, "the workers do not work")
		pruneKilled(t, s, one, mux)
		eventually(t, func() bool { return k.left.Load() <= 0 || ended() }, "the command does not come")
		pruneKilled(t, s, k.cmd, mux)
		runDelayed(t, client)
	}
	for !ended() {
		require.NoError(t, process(t, s, "WORKER_TEST_KEPT=1", "WORKER_TEST_LAST=1").Wait())
		prune(t, s, mux) // a request of a killed worker may have come late
		runDelayed(t, client)
	}
	requireKept(t, c, jobs, killed)
}

// enqueueKept enqueues jobs twice: the second time all are refused.
func enqueueKept(t *testing.T, client *resque.Client, jobs int) {
	t.Helper()
	classes := keptClasses()
	all := make([]resque.Job, jobs)
	for id := range all {
		all[id] = classes[id%len(classes)].Job(id)
	}
	for _, want := range []resque.ReceiptState{resque.Queued, resque.Duplicate} {
		receipts, err := client.EnqueueAll(t.Context(), all)
		require.NoError(t, err)
		for _, r := range receipts {
			require.Equal(t, want, r.State)
		}
	}
}

// pruneKilled kills a process and prunes its workers, unless another process has done that.
func pruneKilled(t *testing.T, s *redistest.Server, cmd *exec.Cmd, mux *resque.Mux) {
	t.Helper()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	client := s.Client(t)
	for _, id := range registered(t, s.Conn(t)) {
		if !strings.Contains(id, fmt.Sprintf("~go:%d-", cmd.Process.Pid)) {
			continue
		}
		eventually(t, func() bool { // Redis may not have noticed yet that the connection is closed
			_, err := client.Prune(t.Context(), id, resque.PruneOptions{Handler: mux})
			return err == nil || errors.Is(err, resque.ErrNoWorker)
		}, "not pruned: "+id)
	}
}

func requireKept(t *testing.T, c redis.Conn, jobs, killed int) {
	t.Helper()
	for _, pattern := range []string{
		"resque:lock:*", "resque:loner*", "resque:queueing*", "resque:performing*",
		"resque:goresque:held:*", "resque:goresque:begun:*", "resque:delayed:*",
	} {
		assert.Empty(t, do(t, c, "KEYS", pattern), "keys left: %s", pattern)
	}
	requireNoCounters(t, c)
	requireGone(t, c)

	attempts := make([]int, jobs) // of each job, how many were made
	total := 0
	for attempt := 1; attempt <= keptLimit+2; attempt++ {
		made, err := redis.IntMap(c.Do("HGETALL", fmt.Sprintf("attempt:%d", attempt)))
		require.NoError(t, err)
		assert.True(t, attempt <= keptLimit+1 || len(made) == 0, "more attempts than the limit: %v", made)
		for text, times := range made {
			id, err := strconv.Atoi(text)
			require.NoError(t, err)
			assert.Equal(t, 1, times, "attempt %d of job %d", attempt, id)
			attempts[id]++
			total++
		}
	}
	failed := map[int]int{}
	for _, r := range failures(t, c) {
		failed[int(r.Payload.Args[0].(float64))]++
	}
	ids, err := redis.Ints(c.Do("SMEMBERS", "succeeded"))
	require.NoError(t, err)
	succeeded := map[int]bool{}
	for _, id := range ids {
		succeeded[id] = true
	}
	crashes, giveUps := 0, 0
	for id, made := range attempts {
		assert.LessOrEqual(t, failed[id], 1, "job %d failed twice", id)
		assert.True(t, succeeded[id] || failed[id] == 1, "job %d was lost", id)
		if id%5 == 0 {
			assert.Equal(t, 1, failed[id], "job %d always fails", id)
		}
		if failed[id] == 1 { // each attempt that was not made was reserved and killed
			crashes += keptLimit + 1 - made
			giveUps++
		}
	}
	atKills := killed * keptSlots
	assert.LessOrEqual(t, crashes, atKills)
	stat := number(t, c, "resque:stat:failed")
	assert.EqualValues(t, jobs-giveUps, number(t, c, "resque:stat:processed")-stat, "each job has one success, or is in failed")
	t.Logf("%d jobs, %d kills: %d attempts were made, %d failed, %d jobs failed in the end", jobs, killed, total, stat, giveUps)
}
