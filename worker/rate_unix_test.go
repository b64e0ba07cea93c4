//go:build unix

package worker_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
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

var rated = flag.Duration("rated", time.Second, "how long TestRateOfEightProcesses measures; make soak takes longer")

// The burst makes up for the times in which a busy machine lets no process run. It is less than
// one percent of a minute.
const ratePerSecond, rateBurst, rateProcesses = 200, 40, 8

// beRated runs a worker whose jobs note the time at which they start, on Redis's clock.
func beRated(ctx context.Context) error {
	rdb, err := resque.Open(resque.RedisConfig{URL: os.Getenv("WORKER_TEST_URL"), DialTimeout: time.Minute})
	if err != nil {
		return err
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		return err
	}
	note := redis.NewScript(1, `
local now = redis.call('TIME')
redis.call('RPUSH', KEYS[1], now[1] * 1000000 + now[2])`)
	mux := resque.NewMux()
	mux.HandleFunc("Rated", func(ctx context.Context, _ *resque.Payload) error {
		c, err := rdb.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = note.Do(c, "starts")
		return err
	})
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"rated"}, Concurrency: 5, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// TestRateOfEightProcesses lets eight processes take jobs from a queue with a rate. In no time
// do more start than the rate and the burst allow. In a long run, the number that start is
// within one percent of the rate.
func TestRateOfEightProcesses(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := s.Conn(t)
	require.NoError(t, limit.Set(t.Context(), s.Client(t), "rated", limit.Queue{Rate: limit.PerSecond(ratePerSecond), Burst: rateBurst}))
	want := int(rated.Seconds() * ratePerSecond)
	words := []any{"resque:queue:rated"}
	for range want + 100 {
		words = append(words, `{"class":"Rated","args":[]}`)
	}
	now, err := redis.Ints(c.Do("TIME"))
	require.NoError(t, err)
	began := int64(now[0])*1_000_000 + int64(now[1])
	do(t, c, "RPUSH", words...)
	for range rateProcesses {
		process(t, s, "WORKER_TEST_RATED=1")
	}
	eventually(t, func() bool { return do(t, c, "LLEN", "starts").(int64) >= int64(want) }, "the jobs do not start")

	starts, err := redis.Int64s(c.Do("LRANGE", "starts", 0, want-1))
	require.NoError(t, err)
	took := time.Duration(starts[want-1]-starts[0]) * time.Microsecond
	got := float64(want-1) / took.Seconds()
	t.Logf("%d jobs of %d processes started in %v: %.2f/s of %d/s", want, rateProcesses, took, got, ratePerSecond)
	most := float64(starts[want-1]-began)/1e6*ratePerSecond + rateBurst
	assert.LessOrEqual(t, float64(want), most+1, "more than the rate")
	if *rated >= 30*time.Second { // a busy machine may start fewer in a short run
		assert.InEpsilon(t, ratePerSecond, got, 0.01)
	}
}
