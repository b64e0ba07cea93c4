//go:build unix

package worker_test

import (
	"context"
	"flag"
	"strings"
	"sync/atomic"
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

var away = flag.Duration("outage", time.Second, "how long Redis is away in TestWorkerRecoversFromFaultsOfRedis; make soak sets it")

// faulty is a worker whose Redis has faults.
type faulty struct {
	server   *redistest.Server
	args     []string
	proxy    *redistest.Proxy // nil if there is none
	heal     func()
	client   *resque.Client
	w        *worker.Worker
	log      journal
	stop     context.CancelFunc
	ended    chan error
	running  chan struct{}
	release  chan struct{}
	finished atomic.Int64
	tally    *tally
}

// trouble is a fault of Redis while jobs are running.
type trouble struct {
	name       string
	args       func(t *testing.T) []string // of the server
	proxied    bool
	begin, end func(t *testing.T, p *faulty)
	lasts      time.Duration // at least, after the worker has noticed it
	late       bool          // the worker notices it only after its end
	unnoticed  bool          // it may be over before the worker calls Redis
}

func troubles() []trouble {
	commands := func(commands ...[]any) func(t *testing.T, p *faulty) {
		return func(t *testing.T, p *faulty) {
			t.Helper()
			for _, words := range commands {
				p.ask(t, words[0].(string), words[1:]...)
			}
		}
	}
	return []trouble{
		{
			name: "killed and away", lasts: *away,
			args: func(t *testing.T) []string {
				t.Helper()
				return []string{"--dir", t.TempDir(), "--appendonly", "yes", "--appendfsync", "always"}
			},
			begin: func(t *testing.T, p *faulty) {
				t.Helper()
				require.NoError(t, syscall.Kill(p.server.PID, syscall.SIGKILL))
			},
			end: func(t *testing.T, p *faulty) { t.Helper(); p.restart(t) },
		},
		{
			name: "LOADING",
			args: func(*testing.T) []string { return redistest.Reloadable() },
			begin: func(t *testing.T, p *faulty) {
				t.Helper()
				p.heal = p.server.Reload(t)
			},
			end: func(t *testing.T, p *faulty) {
				t.Helper()
				assert.NotZero(t, p.log.count("LOADING Redis is loading the dataset in memory"))
				p.heal()
			},
		},
		{
			// Timeouts notice it: 15 s for a call and 10 s for idle connections,
			// whatever their number.
			name: "half open", lasts: time.Second, late: true, proxied: true,
			begin: func(t *testing.T, p *faulty) {
				t.Helper()
				p.rest(t, 10)
				p.heal = p.proxy.Silence()
			},
			end: func(t *testing.T, p *faulty) { t.Helper(); p.heal() },
		},
		{
			name:  "MASTERDOWN",
			begin: commands([]any{"CONFIG", "SET", "replica-serve-stale-data", "no"}, []any{"REPLICAOF", "127.0.0.1", "1"}),
			end:   commands([]any{"REPLICAOF", "NO", "ONE"}),
		},
		{
			name: "CLIENT KILL", unnoticed: true,
			begin: commands([]any{"CLIENT", "KILL", "TYPE", "normal"}, []any{"CLIENT", "KILL", "TYPE", "pubsub"}),
			end:   commands(),
		},
		{
			name: "MAXCLIENTS",
			begin: func(t *testing.T, p *faulty) {
				t.Helper()
				c := p.server.Conn(t)
				do(t, c, "CONFIG", "SET", "maxclients", "1")
				do(t, c, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
				do(t, c, "CLIENT", "KILL", "TYPE", "pubsub")
				p.heal = func() {
					do(t, c, "CONFIG", "SET", "maxclients", "1000")
					_ = c.Close()
				}
			},
			end: func(t *testing.T, p *faulty) { t.Helper(); p.heal() },
		},
	}
}

// Redis has a fault while three jobs are running. They end during the fault, and their
// results are recorded after it. Then the worker is as before: pushes wake it, it sends
// heartbeats, and no goroutine and no connection has leaked.
func TestWorkerRecoversFromFaultsOfRedis(t *testing.T) {
	t.Parallel()
	for _, trouble := range troubles() {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			p := startFaulty(t, trouble)
			for id := range 6 {
				p.push(t, id+1)
			}
			p.requireCounted(t, 6)
			p.requireWell(t)
			before := atRest(t, t.Name())

			for id := range 3 {
				p.push(t, 101+id)
				<-p.running
			}
			trouble.begin(t, p)
			close(p.release)
			eventually(t, func() bool { return p.finished.Load() == 9 }, "running jobs do not end")
			if !trouble.late && !trouble.unnoticed {
				eventually(t, func() bool { return p.log.count("redis is away") == 1 }, "the worker has not noticed")
			}
			<-time.After(trouble.lasts)
			trouble.end(t, p)
			over := time.Now()

			p.requireCounted(t, 9)
			t.Logf("the ends were recorded %v after it was over", time.Since(over).Round(time.Millisecond))
			p.beats(t)
			for id := range 5 {
				p.push(t, 7+id)
			}
			p.requireCounted(t, 14)
			p.requireWell(t)
			t.Logf("well again %v after it was over", time.Since(over).Round(time.Millisecond))
			requireGoroutines(t, t.Name(), before)
			if !trouble.unnoticed {
				eventually(t, func() bool { return p.log.count("redis is back") == 1 }, "the worker does not say that Redis is back")
				assert.Equal(t, 1, p.log.count("redis is away"))
			}
			p.requireStops(t)
		})
	}
}

// startFaulty starts a worker with three slots, which only pushes wake.
func startFaulty(t *testing.T, trouble trouble) *faulty {
	t.Helper()
	p := &faulty{running: make(chan struct{}), release: make(chan struct{}), ended: make(chan error, 1), tally: newTally(14)}
	if trouble.args != nil {
		p.args = trouble.args(t)
	}
	p.server = redistest.StartReal(t, p.args...)
	behind := p.server
	if trouble.proxied {
		p.proxy = p.server.Proxy(t)
		behind = &redistest.Server{URL: p.proxy.URL}
	}
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		defer p.finished.Add(1)
		p.tally.count(id)
		if id > 100 {
			p.running <- struct{}{}
			<-p.release
		}
		return nil
	}))
	var err error
	p.client, err = resque.New(behind.OpenWithin(t, 10*time.Second), resque.Config{})
	require.NoError(t, err)
	w, err := worker.New(p.client, mux, worker.Config{
		Queues: []string{"exports"}, Concurrency: 3, PollInterval: time.Hour, HeartbeatInterval: 50 * time.Millisecond,
		Logger: p.log.logger(),
	})
	require.NoError(t, err)
	p.w = w
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	p.stop = stop
	t.Cleanup(stop)
	labelled(t.Name(), func() { p.ended <- w.Run(ctx) })
	return p
}

// rest leaves idle connections in the pool of the worker.
func (p *faulty) rest(t *testing.T, count int) {
	t.Helper()
	for range count {
		c, err := p.client.Redis().Conn(t.Context())
		require.NoError(t, err)
		require.NoError(t, c.Err())
		defer c.Close()
	}
}

// restart starts the server again at its address, with its data from disk.
func (p *faulty) restart(t *testing.T) {
	t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(p.server.URL, "redis://"), ":")
	p.server.PID = redistest.StartAgain(t, append([]string{"--port", port}, p.args...)...).PID
}

// ask sends a command on a new connection and closes it.
func (p *faulty) ask(t *testing.T, command string, args ...any) any {
	t.Helper()
	c, err := redis.DialURLContext(t.Context(), p.server.URL)
	require.NoError(t, err)
	defer c.Close()
	return do(t, c, command, args...)
}

func (p *faulty) push(t *testing.T, id int) {
	t.Helper()
	payload, err := resque.Job{Class: "Exporter", Queue: "exports", Args: []any{id}}.Encode()
	require.NoError(t, err)
	p.ask(t, "RPUSH", "resque:queue:exports", payload)
}

// requireCounted waits until n jobs are counted.
func (p *faulty) requireCounted(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		got, err := redis.Int64(p.ask(t, "GET", "resque:stat:processed"), nil)
		return err == nil && got == n
	}, time.Minute, 10*time.Millisecond, "%d ends are not recorded", n)
}

func (p *faulty) beats(t *testing.T) {
	t.Helper()
	c, err := redis.DialURLContext(t.Context(), p.server.URL)
	require.NoError(t, err)
	defer c.Close()
	beats(t, c, p.w)
}

// mostConnections counts the named connection, two that wait for pushes, those that
// slots, heartbeat and sweeper need at the same time, and two that the pool may have
// kept from an attempt to wait.
const mostConnections = 3 + 3 + 2

// requireWell waits until the worker waits for pushes and its named connection is open.
func (p *faulty) requireWell(t *testing.T) {
	t.Helper()
	var now clients
	require.Eventually(t, func() bool {
		now = census(t, p.server)
		return now.tracking == 1 && now.present == 1 && now.all <= mostConnections
	}, time.Minute, 10*time.Millisecond, "%+v", &now)
}

// requireStops stops the worker, and asserts that nothing of it is left.
func (p *faulty) requireStops(t *testing.T) {
	t.Helper()
	p.stop()
	require.NoError(t, <-p.ended)
	requireGoroutines(t, t.Name(), 0)
	require.NoError(t, p.client.Redis().Close())
	eventually(t, func() bool { return census(t, p.server).all == 0 }, "connections are left")
	for id, times := range p.tally.times {
		assert.Equal(t, 1, times, "job %d", id)
	}
	assert.Len(t, p.tally.times, 14)
	requireFinished(t, p.server, 14, 0)
}
