//go:build unix

package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	limitsHold(t, redistest.StartReal(t), 0, func([]string) {})
}

// TestLimitsHoldWhileRubyWorkersStart does the same while a Ruby worker of this host starts
// again and again. When it starts, it prunes dead workers: those of its host whose process it
// does not see, and those whose last heartbeat is old, as that of some killed workers is here.
func TestLimitsHoldWhileRubyWorkersStart(t *testing.T) {
	t.Parallel()
	have := exec.Command("ruby", "-rresque", "-e", "").Run() == nil
	redistest.Require(t, "ruby", have)
	s := redistest.StartReal(t)
	c := s.Conn(t)
	var pruning sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	starts := 0
	pruning.Go(func() {
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, "ruby", "-rresque", "-e", rubyStarts)
			cmd.Env = append(os.Environ(), "REDIS_URL="+s.URL)
			out, err := cmd.CombinedOutput()
			if ctx.Err() == nil && assert.NoError(t, err, "%s", out) {
				starts++
			}
		}
	})
	limitsHold(t, s, 20**kills, func(dead []string) {
		for i, id := range dead {
			if i%2 == 0 {
				do(t, c, "HSET", "resque:workers:heartbeat", id, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
			}
		}
	})
	stop()
	pruning.Wait()
	t.Logf("a Ruby worker started %d times", starts)
	assert.Positive(t, starts)
}

// rubyStarts starts a Ruby worker, which prunes dead ones, and stops it before it takes a job.
// The lock for pruning, which it leaves, expires after a second.
const rubyStarts = `
Resque.redis = ENV.fetch('REDIS_URL')
Resque.heartbeat_interval = 1
worker = Resque::Worker.new('limited', 'keyed')
worker.prepare
worker.startup
worker.unregister_worker`

// limitsHold kills workers and checks the limits. It calls killed with the ids of the workers
// that are dead. At most so many jobs may end twice: Ruby reads the record of a dead worker, fails
// its job and removes the record in separate steps, so that another process may fail it also.
func limitsHold(t *testing.T, s *redistest.Server, twice int, killed func(dead []string)) {
	t.Helper()
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
		killed(slices.DeleteFunc(registered(t, c), func(id string) bool { return !strings.Contains(id, "~go:") }))
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
	ends := number(t, c, "resque:stat:processed") + failed
	assert.GreaterOrEqual(t, ends, int64(jobs))
	assert.LessOrEqual(t, ends, int64(jobs+twice), "each job ends once")
	assert.LessOrEqual(t, failed, int64(*kills*20+twice))
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
