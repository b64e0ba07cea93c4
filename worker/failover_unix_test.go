//go:build unix

package worker_test

import (
	"context"
	"flag"
	"slices"
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

var failovers = flag.Int("failovers", 1, "how often TestNoAcknowledgedJobIsLostToAFailover replaces the master by command and by kill, each")

// TestNoAcknowledgedJobIsLostToAFailover replaces the master, by Sentinel's command and by
// killing it, while jobs are enqueued and performed.
func TestNoAcknowledgedJobIsLostToAFailover(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 3)
	r := startRun(t, g.URL)
	r.performs(t, 100)
	for range *failovers {
		old := g.Master(t)
		require.NoError(t, syscall.Kill(g.Server(old).PID, syscall.SIGKILL))
		g.AwaitMaster(t, old)
		r.afterFailover(t)
		g.Restart(t, old)
		g.AwaitReplica(t)
		r.performs(t, 100)

		g.Failover(t)
		r.afterFailover(t)
		g.AwaitReplica(t)
		r.performs(t, 100)
	}
	r.finish(t, func() *redistest.Server { return g.Server(g.Master(t)) })
}

// failoverRun is a worker and a producer of jobs that must be acknowledged by a replica.
// Each job that Enqueue reported as acknowledged must be performed.
type failoverRun struct {
	book      *arrivals
	producer  *producer
	waits     []time.Duration // for the first job after each failover
	producing sync.WaitGroup
	shut      func() // ends the producer
	stop      func() // ends the worker
	ended     chan error
}

func startRun(t *testing.T, url string) *failoverRun {
	t.Helper()
	r := &failoverRun{book: newArrivals(), ended: make(chan error, 1)}
	w, err := worker.New(openURL(t, url, resque.Config{}), r.book.mux(), worker.Config{
		Queues: []string{"exports"}, Concurrency: killedSlots, Logger: quiet(t, nil),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r.stop = stop
	go func() { r.ended <- w.Run(ctx) }()
	enough, shut := context.WithCancel(t.Context())
	t.Cleanup(shut)
	r.shut = shut
	r.producer = &producer{client: openURL(t, url, resque.Config{WaitReplicas: 1, WaitTimeout: 200 * time.Millisecond})}
	r.producing.Go(func() { r.producer.run(enough, t) })
	return r
}

// performs waits until more jobs are performed.
func (r *failoverRun) performs(t *testing.T, more int) {
	t.Helper()
	before := r.book.count()
	eventually(t, func() bool { return r.book.count() > before+more }, "nothing is performed")
}

// afterFailover notes how long it takes from now until a job is performed.
func (r *failoverRun) afterFailover(t *testing.T) {
	t.Helper()
	r.waits = append(r.waits, r.book.next(t))
}

// finish ends the run when all jobs are performed, and checks the ledger.
func (r *failoverRun) finish(t *testing.T, master func() *redistest.Server) {
	t.Helper()
	r.shut()
	r.producing.Wait()
	prefix := r.producer.client.Redis().Namespace() + ":"
	eventually(t, func() bool { // on a slow machine the master may be replaced now
		c, err := redis.DialURL(master().URL)
		if err != nil {
			return false
		}
		defer c.Close()
		ids, err := redis.Strings(c.Do("SMEMBERS", prefix+"workers"))
		if err != nil {
			return false
		}
		for _, id := range ids {
			if runs, err := redis.Bool(c.Do("EXISTS", prefix+"worker:"+id)); err != nil || runs {
				return false
			}
		}
		left, err := redis.Int(c.Do("LLEN", prefix+"queue:exports"))
		return err == nil && left == 0
	}, "jobs are left")
	r.stop()
	require.NoError(t, <-r.ended)
	r.producer.requirePerformed(t, &r.book.ledger)
	slices.Sort(r.waits)
	t.Logf("time from the new master to the end of the first job: median %v, longest %v of %d", r.waits[len(r.waits)/2], r.waits[len(r.waits)-1], len(r.waits))
}

// requirePerformed requires that each job that was reported as queued was performed.
func (p *producer) requirePerformed(t *testing.T, book *ledger) {
	t.Helper()
	var lost []int64
	for _, id := range p.queued {
		if book.times[id] == 0 {
			lost = append(lost, id)
		}
	}
	twice := 0
	for _, times := range book.times {
		if times > 1 {
			twice++
		}
	}
	assert.Empty(t, lost, "jobs that were acknowledged and not performed")
	t.Logf("%d jobs acknowledged, %d unknown, %d refused; %d performed, %d of them more than once, %d lost",
		len(p.queued), len(p.maybe), len(p.turned), len(book.times), twice, len(lost))
}

// arrivals is a ledger that can wait for the end of a job that begins from now on.
type arrivals struct {
	ledger
	mu   sync.Mutex
	wait chan struct{}
}

func newArrivals() *arrivals { return &arrivals{ledger: ledger{times: map[int64]int{}}} }

func (a *arrivals) mux() *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		a.mu.Lock()
		waits := a.wait
		a.wait = nil
		a.mu.Unlock()
		a.ledger.mu.Lock()
		a.times[id]++
		a.ledger.mu.Unlock()
		<-time.After(time.Millisecond)
		if waits != nil {
			close(waits)
		}
		return nil
	}))
	return mux
}

// next waits until a job ends that begins from now on, and returns how long that took.
func (a *arrivals) next(t *testing.T) time.Duration {
	t.Helper()
	began, arrived := time.Now(), make(chan struct{})
	a.mu.Lock()
	a.wait = arrived
	a.mu.Unlock()
	select {
	case <-arrived:
	case <-time.After(time.Minute):
		require.Fail(t, "no job is performed after the failover")
	}
	return time.Since(began)
}

func openURL(t *testing.T, url string, cfg resque.Config) *resque.Client {
	t.Helper()
	rdb, err := resque.Open(resque.RedisConfig{URL: url, Logger: quiet(t, nil), DialTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, rdb.Close()) })
	client, err := resque.New(rdb, cfg)
	require.NoError(t, err)
	return client
}
