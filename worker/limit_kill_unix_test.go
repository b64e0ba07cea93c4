//go:build unix

package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/worker"
)

// The limits of TestLimitsHoldDespiteKills.
const queueLimit, keyLimit, limitedKeys = 3, 2, 4

// counts returns an oracle: it counts the running jobs of a limit, by process, and notes how many
// there were at most. KEYS: the counts, the maximum. ARGV: the process, 1 or -1.
func counts() *redis.Script {
	return redis.NewScript(2, `
redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
local sum = 0
for _, n in ipairs(redis.call('HVALS', KEYS[1])) do
  sum = sum + n
end
if sum > tonumber(redis.call('GET', KEYS[2]) or 0) then
  redis.call('SET', KEYS[2], sum)
end`)
}

func limitedMux(rdb *resque.Redis) *resque.Mux {
	script := counts()
	perform := func(ctx context.Context, name, id string) error {
		c, err := rdb.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		count := func(n int) error {
			_, err := script.Do(c, "oracle:"+name, "most:"+name, os.Getpid(), n)
			return err
		}
		if err := count(1); err != nil {
			return err
		}
		if _, err := c.Do("HINCRBY", "ledger", id, 1); err != nil {
			return err
		}
		<-time.After(time.Duration(rand.IntN(3)) * time.Millisecond)
		return count(-1)
	}
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int]("Limited", "limited").Handler(func(ctx context.Context, id int) error {
		return perform(ctx, "queue", strconv.Itoa(id))
	}))
	mux.Handle(resque.Define2[int, int]("Keyed", "keyed", limit.Policy{Concurrency: keyLimit, By: limit.Arg(1)}).Handler(func(ctx context.Context, key, id int) error {
		return perform(ctx, fmt.Sprint("key:", key), strconv.Itoa(id))
	}))
	return mux
}

// beLimited runs a worker for queues with limits.
func beLimited(ctx context.Context) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: os.Getenv("WORKER_TEST_URL"), DialTimeout: time.Minute})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	w, err := worker.New(client, limitedMux(rdb), worker.Config{
		Queues: []string{"limited", "keyed"}, Concurrency: 10, Logger: slog.New(slog.DiscardHandler),
		HeartbeatInterval: 200 * time.Millisecond, PruneAfter: time.Second, UntilEmpty: os.Getenv("WORKER_TEST_LAST") != "",
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// TestLimitsHoldDespiteKills kills two workers at a time, again and again. At no time do
// more jobs run than the limits of the queue and of the keys allow. Each job is performed
// or failed, and at the end no place is held.
func TestLimitsHoldDespiteKills(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	client, err := resque.New(s.Open(t), resque.Config{})
	require.NoError(t, err)
	require.NoError(t, limit.Set(t.Context(), client, "limited", limit.Queue{Concurrency: queueLimit}))
	jobs := 300 * *kills
	for id := range jobs {
		queue, payload := "limited", fmt.Sprintf(`{"class":"Limited","args":[%d]}`, id)
		if id%3 == 0 {
			queue, payload = "keyed", fmt.Sprintf(`{"class":"Keyed","args":[%d,%d]}`, id%limitedKeys, id)
		}
		do(t, c, "RPUSH", "resque:queue:"+queue, payload)
	}
	do(t, c, "SADD", "resque:queues", "limited", "keyed")
	ended := func() bool {
		return do(t, c, "EXISTS", "resque:queue:limited", "resque:queue:keyed", "resque:delayed_queue_schedule") == int64(0)
	}
	forget := func() {
		names, err := redis.Strings(c.Do("KEYS", "oracle:*"))
		require.NoError(t, err)
		for _, name := range names {
			do(t, c, "DEL", name)
		}
	}
	for range *kills {
		one, two := process(t, s, "WORKER_TEST_LIMITED=1"), process(t, s, "WORKER_TEST_LIMITED=1")
		before := number(t, c, "resque:stat:processed")
		eventually(t, func() bool {
			return number(t, c, "resque:stat:processed") > before+int64(rand.IntN(200)) || ended()
		}, "the workers do not work")
		require.NoError(t, one.Process.Kill())
		require.NoError(t, two.Process.Kill())
		_, _ = one.Wait(), two.Wait()
		forget() // their jobs do not run; nothing can free their places before this
	}
	pruneLimited(t, s)
	for !ended() {
		_, err := client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
		require.NoError(t, err)
		require.NoError(t, process(t, s, "WORKER_TEST_LIMITED=1", "WORKER_TEST_LAST=1").Wait())
	}

	assert.LessOrEqual(t, number(t, c, "most:queue"), int64(queueLimit))
	for key := range limitedKeys {
		assert.LessOrEqual(t, number(t, c, fmt.Sprint("most:key:", key)), int64(keyLimit))
	}
	ledger, err := redis.IntMap(c.Do("HGETALL", "ledger"))
	require.NoError(t, err)
	failed := do(t, c, "LLEN", "resque:failed").(int64)
	assert.GreaterOrEqual(t, len(ledger)+int(failed), jobs, "jobs that are nowhere")
	assert.EqualValues(t, jobs, number(t, c, "resque:stat:processed")+failed, "each job ends once")
	assert.LessOrEqual(t, failed, int64(*kills*20))
	held, err := redis.Strings(c.Do("KEYS", "resque:goresque:held:*"))
	require.NoError(t, err)
	assert.Empty(t, held)
	t.Logf("%d jobs, %d kills: %d failed for it; at most %d of the queue ran at once", jobs, 2**kills, failed, number(t, c, "most:queue"))
}

// pruneLimited runs a worker until it has pruned the killed ones.
func pruneLimited(t *testing.T, s *redistest.Server) {
	t.Helper()
	c := s.Conn(t)
	w := newWorker(t, s, limitedMux(s.Open(t)), worker.Config{
		Queues: []string{"nothing"}, HeartbeatInterval: 2 * time.Second, PruneAfter: 5 * time.Second,
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	eventually(t, func() bool {
		records, err := redis.Strings(c.Do("KEYS", "resque:worker:*:limited,keyed"))
		return err == nil && len(records) == 0
	}, "records are left")
	stop()
	require.NoError(t, <-ended)
}
