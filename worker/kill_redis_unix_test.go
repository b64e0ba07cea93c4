//go:build unix

package worker_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

var redisKills = flag.Int("rediskills", 3, "how often TestNoJobIsLostToKillsOfRedis kills the server; make soak takes more")

// producer enqueues jobs one after the other and records the result of each Enqueue.
type producer struct {
	client                *resque.Client
	queued, maybe, turned []int64
}

// run enqueues until ctx ends.
func (p *producer) run(ctx context.Context, t *testing.T) {
	t.Helper()
	exporter := resque.Define1[int64]("Exporter", "exports")
	for id := int64(1); ctx.Err() == nil; id++ {
		_, err := p.client.Enqueue(context.WithoutCancel(ctx), exporter.Job(id))
		switch {
		case err == nil:
			p.queued = append(p.queued, id)
			continue
		case errors.Is(err, resque.ErrMaybeQueued):
			p.maybe = append(p.maybe, id)
		default:
			p.turned = append(p.turned, id)
		}
		select { // Redis is away
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ledger notes how often each job was performed.
type ledger struct {
	mu    sync.Mutex
	times map[int64]int
}

func (l *ledger) mux() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		l.mu.Lock()
		l.times[id]++
		l.mu.Unlock()
		<-time.After(time.Duration(rand.IntN(4)) * time.Millisecond)
		if id%50 == 0 {
			return errors.New("every fiftieth fails")
		}
		return nil
	}))
	return mux
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.times)
}

// TestNoJobIsLostToKillsOfRedis kills a redis-server that syncs each write to its
// disk, again and again, while jobs are enqueued and performed. Each job that Enqueue
// reported as queued is performed and counted once, because the worker survives and
// repeats calls that got no reply.
func TestNoJobIsLostToKillsOfRedis(t *testing.T) {
	t.Parallel()
	durable := []string{"--dir", t.TempDir(), "--appendonly", "yes", "--appendfsync", "always"}
	s := redistest.StartReal(t, durable...)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "redis://"), ":")
	book := &ledger{times: map[int64]int{}}
	w := newWorker(t, s, book.mux(), worker.Config{
		Queues: []string{"exports"}, Concurrency: killedSlots, HeartbeatInterval: 200 * time.Millisecond,
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	enough, shut := context.WithCancel(t.Context())
	defer shut()
	p := &producer{client: s.Client(t)}
	var producing sync.WaitGroup
	producing.Go(func() { p.run(enough, t) })

	pid := s.PID
	for range *redisKills {
		before := book.count()
		eventually(t, func() bool { return book.count() > before+100+rand.IntN(300) }, "nothing is performed")
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
		pid = redistest.StartAgain(t, append([]string{"--port", port}, durable...)...).PID
	}
	before := book.count()
	eventually(t, func() bool { return book.count() > before+100 }, "nothing is performed any more")
	shut()
	producing.Wait()

	c := s.Conn(t)
	eventually(t, func() bool { return do(t, c, "LLEN", "resque:queue:exports") == int64(0) && idle(t, c) }, "jobs are left")
	stop()
	require.NoError(t, <-ended)
	p.account(t, c, book)
}

// idle reports whether no worker has a running job.
func idle(t *testing.T, c redis.Conn) bool {
	t.Helper()
	for _, id := range registered(t, c) {
		if do(t, c, "EXISTS", "resque:worker:"+id) == int64(1) {
			return false
		}
	}
	return true
}

// account finds each job in the ledger.
func (p *producer) account(t *testing.T, c redis.Conn, book *ledger) {
	t.Helper()
	var lost []int64
	for _, id := range p.queued {
		if book.times[id] == 0 {
			lost = append(lost, id)
		}
	}
	arrived, twice, failing := 0, 0, 0
	for id, times := range book.times {
		if times > 1 {
			twice++
		}
		if id%50 == 0 {
			failing++
		}
	}
	for _, id := range p.maybe {
		arrived += min(book.times[id], 1)
	}
	for _, id := range p.turned {
		assert.Zero(t, book.times[id], "job %d was performed, and Enqueue had said that it is not queued", id)
	}
	t.Logf("%d kills: %d jobs queued, %d maybe queued (%d were), %d not queued; %d performed, %d of them twice, %d lost",
		*redisKills, len(p.queued), len(p.maybe), arrived, len(p.turned), len(book.times), twice, len(lost))
	assert.Empty(t, lost, "jobs that are nowhere")
	assert.Zero(t, twice)
	assert.EqualValues(t, len(book.times), number(t, c, "resque:stat:processed"), "each job is counted once")
	assert.EqualValues(t, failing, number(t, c, "resque:stat:failed"))
	assert.EqualValues(t, failing, do(t, c, "LLEN", "resque:failed"))
	requireGone(t, c)
}
