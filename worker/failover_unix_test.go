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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

var failovers = flag.Int("failovers", 1, "how often TestNoAcknowledgedJobIsLostToAFailover replaces the master by command and by kill, each")

// TestNoAcknowledgedJobIsLostToAFailover replaces the master, by Sentinel's command and by
// killing it, while jobs are enqueued and performed. Each job that Enqueue reported as
// acknowledged by the replica is performed.
func TestNoAcknowledgedJobIsLostToAFailover(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinels(t, 3)
	book := newArrivals()
	client := openGroup(t, g, resque.Config{WaitReplicas: 1})
	w, err := worker.New(openGroup(t, g, resque.Config{}), book.mux(), worker.Config{
		Queues: []string{"exports"}, Concurrency: killedSlots, HeartbeatInterval: 200 * time.Millisecond, Logger: quiet(t, nil),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	enough, shut := context.WithCancel(t.Context())
	defer shut()
	p := &producer{client: client}
	var producing sync.WaitGroup
	producing.Go(func() { p.run(enough, t) })

	var waits []time.Duration
	for i := range 2 * *failovers {
		g.AwaitReplica(t)
		before := book.count()
		eventually(t, func() bool { return book.count() > before+100 }, "nothing is performed")
		old := g.Master(t)
		if i%2 == 0 {
			g.Failover(t)
			waits = append(waits, book.next(t))
			continue
		}
		require.NoError(t, syscall.Kill(g.Server(old).PID, syscall.SIGKILL))
		g.AwaitMaster(t, old)
		waits = append(waits, book.next(t))
		g.Restart(t, old)
	}
	before := book.count()
	eventually(t, func() bool { return book.count() > before+100 }, "nothing is performed any more")
	shut()
	producing.Wait()

	c := g.Server(g.Master(t)).Conn(t)
	eventually(t, func() bool { return do(t, c, "LLEN", "resque:queue:exports") == int64(0) && idle(t, c) }, "jobs are left")
	stop()
	require.NoError(t, <-ended)
	p.requirePerformed(t, &book.ledger)
	slices.Sort(waits)
	t.Logf("time from the Sentinel's answer to the end of the first job: median %v, longest %v of %d", waits[len(waits)/2], waits[len(waits)-1], len(waits))
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

func openGroup(t *testing.T, g *redistest.Group, cfg resque.Config) *resque.Client {
	t.Helper()
	rdb, err := resque.Open(resque.RedisConfig{URL: g.URL, Logger: quiet(t, nil)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, rdb.Close()) })
	client, err := resque.New(rdb, cfg)
	require.NoError(t, err)
	return client
}
