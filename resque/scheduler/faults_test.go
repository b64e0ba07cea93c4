package scheduler_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// ledger delays jobs with numbers and checks that each is enqueued once.
type ledger struct {
	rdb
	jobs int
}

// add delays n jobs, in two queues, due long ago at some seconds.
func (l *ledger) add(t testing.TB, n, seconds int) {
	t.Helper()
	for range n {
		l.jobs++
		second := 1000 + l.jobs%seconds
		p := fmt.Sprintf(`{"class":"Job","args":[%d],"queue":"q%d"}`, l.jobs, l.jobs%2)
		require.NoError(t, l.Send("SADD", "resque:timestamps:"+p, fmt.Sprint("delayed:", second))) // first: the job may be moved at once
		require.NoError(t, l.Send("RPUSH", fmt.Sprint("resque:delayed:", second), p))
		require.NoError(t, l.Send("ZADD", "resque:delayed_queue_schedule", second, second))
	}
	l.do(t, "PING")
}

// enqueued is how many jobs are in their queues.
func (l *ledger) enqueued(t testing.TB) int {
	t.Helper()
	return l.len(t, "resque:queue:q0") + l.len(t, "resque:queue:q1")
}

// check checks that each job is in its queue once, and nowhere else.
func (l *ledger) check(t testing.TB) {
	t.Helper()
	got := append(l.list(t, "resque:queue:q0"), l.list(t, "resque:queue:q1")...)
	var want []string
	for i := 1; i <= l.jobs; i++ {
		want = append(want, fmt.Sprintf(`{"class":"Job","args":[%d]}`, i))
	}
	slices.Sort(got)
	slices.Sort(want)
	assert.Equal(t, want, got)
	left, err := redis.Strings(l.do(t, "KEYS", "resque:*"), nil)
	require.NoError(t, err)
	left = slices.DeleteFunc(left, func(key string) bool {
		return slices.Contains([]string{"resque:queue:q0", "resque:queue:q1", "resque:queues", "resque:goresque:scheduler"}, key) || strings.HasSuffix(key, "resque_scheduler_master_lock")
	})
	assert.Empty(t, left)
}

// throughProxy runs a scheduler whose connections go through a proxy.
func throughProxy(t testing.TB, p *redistest.Proxy, cfg scheduler.Config) *running {
	t.Helper()
	return start(t, &redistest.Server{URL: p.URL}, cfg)
}

// A reply that is lost at any time neither loses nor doubles a job.
func TestEachLostReply(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		p := s.Proxy(t)
		l := &ledger{rdb: c}
		r := throughProxy(t, p, scheduler.Config{Interval: 50 * time.Millisecond, BatchSize: 7})
		for round := range 40 {
			if round%2 == 0 {
				p.Cut()
			}
			l.add(t, 20, 3)
			until(t, "all jobs are enqueued", func() bool { return l.enqueued(t) >= l.jobs })
		}
		r.stop()
		l.check(t)
	})
}

// Redis is away: the scheduler logs that once, and continues when it is back.
func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := s.Proxy(t)
	l := &ledger{rdb: rdb{s.Conn(t)}}
	r := throughProxy(t, p, scheduler.Config{Interval: 50 * time.Millisecond})
	until(t, "it is master", func() bool { return r.State().Master })
	var tries atomic.Int64
	p.Watch(func([]byte) bool { tries.Add(1); return false })
	refused, end := p.Refuse()
	l.add(t, 100, 10)
	until(t, "it tries several times", func() bool { return refused() > 8 })
	assert.Equal(t, 1, strings.Count(r.log.String(), "scheduler cannot work with redis, trying again"), r.log)
	p.Watch(func([]byte) bool { return true })
	end()
	until(t, "all jobs are enqueued", func() bool { return l.enqueued(t) == l.jobs })
	until(t, "it says so", func() bool { return strings.Contains(r.log.String(), "scheduler works with redis again") })
	r.stop()
	l.check(t)
	assert.Equal(t, 1, strings.Count(r.log.String(), "scheduler cannot work with redis, trying again"))
}

// Two masters, which only different lock prefixes can make, move each job once.
func TestTwoMasters(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		l := &ledger{rdb: c}
		a := start(t, s, scheduler.Config{LockPrefix: "a", BatchSize: 50, Interval: 50 * time.Millisecond})
		b := start(t, s, scheduler.Config{LockPrefix: "b", BatchSize: 30, Interval: 50 * time.Millisecond})
		for range 10 {
			l.add(t, 300, 7)
		}
		until(t, "all jobs are enqueued", func() bool { return l.enqueued(t) >= l.jobs })
		a.stop()
		b.stop()
		l.check(t)
	})
}

// A job that is canceled after it was read does not run.
func TestCancelBetweenReadAndMove(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		c.delay(t, 5, mail1, mail2)
		sched, err := scheduler.New(s.Client(t), scheduler.Config{Logger: (&log{}).logger()})
		require.NoError(t, err)
		scheduler.Between(sched, func() { c.do(t, "LREM", "resque:delayed:5", 0, mail1) })
		for scheduler.Turn(t.Context(), sched) {
		}
		assert.Equal(t, []string{`{"class":"Mail","args":[2]}`}, c.list(t, "resque:queue:mail"))
	})
}

// Redis is full: nothing is lost, and the jobs are moved when there is room.
func TestRedisIsFull(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	l := &ledger{rdb: rdb{s.Conn(t)}}
	l.add(t, 100, 10)
	l.do(t, "CONFIG", "SET", "maxmemory", 1)
	r := start(t, s, scheduler.Config{Interval: 50 * time.Millisecond})
	until(t, "it logs the error", func() bool { return strings.Contains(r.log.String(), "OOM") })
	l.do(t, "CONFIG", "SET", "maxmemory", 0)
	until(t, "all jobs are enqueued", func() bool { return l.enqueued(t) == l.jobs })
	l.check(t)
}

// A huge job does not stop the others.
func TestHugeJobs(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	c := rdb{s.Conn(t)}
	huge := `{"class":"Mail","args":["` + strings.Repeat("x", 20<<20) + `"],"queue":"mail"}`
	c.delay(t, 5, mail1, huge, strings.Repeat("y", 20<<20), mail2)
	start(t, s, scheduler.Config{})
	until(t, "all are moved", func() bool { return c.len(t, "resque:queue:mail") == 3 })
	assert.Equal(t, strings.Replace(huge, `,"queue":"mail"`, "", 1), c.list(t, "resque:queue:mail")[1])
	assert.Equal(t, 1, c.len(t, "resque:failed"))
}

func TestBeforeMove(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		var calls, allow atomic.Int64
		l := &log{}
		c.delay(t, 5, mail1, mail2, `{"class":"Boom","args":[],"queue":"mail"}`)
		start(t, s, scheduler.Config{Interval: 50 * time.Millisecond, Logger: l.logger(), BeforeMove: func(_ context.Context, job *resque.Payload) error {
			calls.Add(1)
			switch {
			case job.Class == "Boom":
				panic("boom")
			case string(job.Args[0]) == "1" && allow.Load() == 0:
				return assert.AnError
			}
			assert.Equal(t, "mail", job.Queue)
			return nil
		}})
		until(t, "the second job is moved", func() bool { return c.len(t, "resque:queue:mail") == 1 })
		assert.Contains(t, c.list(t, "resque:failed")[0], `"exception":"PanicError","error":"panic: boom"`)
		assert.Equal(t, 1, c.exists(t, "resque:timestamps:"+mail1))
		until(t, "the first is kept again", func() bool { return calls.Load() > 3 })
		allow.Store(1)
		until(t, "the first job is moved", func() bool { return c.len(t, "resque:queue:mail") == 2 })
		assert.Zero(t, c.exists(t, "resque:timestamps:"+mail1, "resque:delayed_queue_schedule"))
		assert.Contains(t, l.String(), "delayed jobs are delayed again: BeforeMove returned an error")
	})
}

// If Redis is gone when the scheduler stops, the log says why the lock stays.
func TestLockThatStaysIsLoggedWithItsCause(t *testing.T) {
	t.Parallel()
	p := redistest.Start(t).Proxy(t)
	r := throughProxy(t, p, scheduler.Config{})
	until(t, "the scheduler is master", func() bool { return r.State().Master })
	p.Watch(func([]byte) bool { return false }) // it closes all connections
	r.stop()
	assert.Regexp(t, `the lock of the scheduler could not be released.* cause=.* advice=`, r.log.String())
}

// Redis hangs: the scheduler stops without waiting for an answer.
func TestStopWhileRedisHangs(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, _ rdb) {
		p := s.Proxy(t)
		client, err := resque.New((&redistest.Server{URL: p.URL}).OpenWithin(t, time.Hour), resque.Config{})
		require.NoError(t, err)
		lines := &log{}
		r, err := scheduler.New(client, scheduler.Config{Logger: lines.logger(), Interval: 50 * time.Millisecond})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		until(t, "it is master", func() bool { return r.State().Master })

		asked, release := make(chan struct{}), make(chan struct{})
		defer close(release)
		once := sync.OnceFunc(func() { close(asked) })
		p.Watch(func(commands []byte) bool {
			if strings.Contains(string(commands), "resque_scheduler_master_lock") {
				once()
				<-release
			}
			return true
		})
		<-asked
		stop()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(patience):
			require.Fail(t, "it waits for Redis")
		}
		assert.Contains(t, lines.String(), "the lock of the scheduler could not be released, it expires by itself")
	})
}
