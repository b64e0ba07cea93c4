package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// workersOutput is the output of workers.rb.
type workersOutput struct {
	All, Working, Expired []string
	Info                  map[string]int
	Workers               map[string]struct {
		State, Started, Host string
		Working, Idle        bool
		Heartbeat, Exists    bool
		Processed, Failed    int
		PID                  int
		Queues               []string
		Job                  struct {
			Queue   string
			RunAt   time.Time `json:"run_at"`
			Payload json.RawMessage
		}
	}
}

// busy starts a worker, waits until each of its slots has a running job, and
// returns it. Before that the worker performs three jobs: two of them fail.
func busy(t *testing.T, server *redistest.Server, slots int, queues ...string) *worker.Worker {
	t.Helper()
	w, _ := busyUntil(t, server, slots, queues...)
	return w
}

// busyUntil is busy with a function to end the running jobs. They also end when
// the test ends.
func busyUntil(t *testing.T, server *redistest.Server, slots int, queues ...string) (_ *worker.Worker, release func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(end) })
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int]("Exporter", "exports").Handler(func(_ context.Context, id int) error {
		switch id {
		case 1:
			return nil
		case 2:
			return errors.New("no export 2")
		case 3:
			panic("no export 3")
		default:
			begun <- struct{}{}
			<-end
			return nil
		}
	}))
	for i := range 3 + slots {
		enqueue(t, server, resque.Job{Queue: "exports", Class: "Exporter", Args: []any{1 + i}})
	}
	w := newWorker(t, server, mux, worker.Config{Queues: queues, Concurrency: slots})
	goWork(t, w)
	t.Cleanup(release) // runs before goWork's cleanup
	for range slots {
		<-begun
	}
	return w, release
}

func TestRubySeesAWorkingGoWorker(t *testing.T) {
	t.Parallel()
	for _, slots := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d slots", slots), func(t *testing.T) {
			t.Parallel()
			server := start(t)
			w := busy(t, server, slots, "exports", "mail")
			require.Len(t, w.IDs(), slots)
			require.Eventually(t, func() bool {
				return list(t, server, "resque:failed") != nil && len(list(t, server, "resque:failed")) == 2
			}, time.Minute, 5*time.Millisecond)

			got := reply[workersOutput](t, ruby(t, server, "workers.rb"))
			assert.ElementsMatch(t, w.IDs(), got.All)
			assert.ElementsMatch(t, w.IDs(), got.Working)
			assert.Empty(t, got.Expired)
			assert.Equal(t, map[string]int{
				"pending": 0, "processed": 3, "queues": 1, "workers": slots, "working": slots, "failed": 2,
			}, got.Info)
			requireWorking(t, w, got)
		})
	}
}

func requireWorking(t *testing.T, w *worker.Worker, got workersOutput) {
	t.Helper()
	host, err := os.Hostname()
	require.NoError(t, err)
	processed, failed := 0, 0
	var jobs []string
	for _, id := range w.IDs() {
		one := got.Workers[id]
		assert.Equal(t, "working", one.State, id)
		assert.True(t, one.Working, id)
		assert.False(t, one.Idle, id)
		assert.True(t, one.Heartbeat, id)
		assert.True(t, one.Exists, id)
		assert.Equal(t, host+"~go", one.Host)
		assert.Equal(t, os.Getpid(), one.PID)
		assert.Equal(t, []string{"exports", "mail"}, one.Queues)
		started, err := time.Parse("2006-01-02 15:04:05 -0700", one.Started)
		require.NoError(t, err, "Ruby's Time#to_s")
		assert.WithinDuration(t, time.Now(), started, time.Minute)
		assert.WithinDuration(t, time.Now(), one.Job.RunAt, time.Minute)
		assert.Equal(t, "exports", one.Job.Queue)
		jobs = append(jobs, string(one.Job.Payload))
		processed += one.Processed
		failed += one.Failed
	}
	var want []string
	for i := range w.IDs() {
		want = append(want, fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, 4+i))
	}
	assert.ElementsMatch(t, want, jobs)
	assert.Equal(t, 3, processed)
	assert.Equal(t, 2, failed)
}

func records(t *testing.T, server *redistest.Server, w *worker.Worker) []string {
	t.Helper()
	c := server.Conn(t)
	var texts []string
	for _, id := range w.IDs() {
		text, err := redis.String(c.Do("GET", "resque:worker:"+id))
		require.NoError(t, err)
		texts = append(texts, text)
	}
	return texts
}

// The test visits all pages of Ruby's front end. Go has written the keyspace, with
// every kind of invalid payload in it.
func TestRubysFrontEndRendersGosKeyspace(t *testing.T) {
	t.Parallel()
	server := start(t, "sinatra/base", "rack")
	c := server.Conn(t)
	for _, odd := range []string{`{"class":"Exporter"`, `[]`, `null`, "\xff\xfe", `{"args":[1]}`, `{"class":"Exporter","args":{"a":1}}`, ``} {
		_, err := c.Do("RPUSH", "resque:queue:odd", odd)
		require.NoError(t, err)
	}
	_, err := c.Do("SADD", "resque:queues", "odd")
	require.NoError(t, err)
	enqueue(t, server,
		resque.Job{Queue: "odd", Class: "Nobody", Args: []any{"<b>ü</b>"}},
		resque.Job{Queue: "waiting", Class: "Exporter", Args: []any{"<b>ü</b>", nil, 1.0}})
	idle := newWorker(t, server, resque.NewMux(), worker.Config{Queues: []string{"odd"}, Concurrency: 2})
	goWork(t, idle)
	require.Eventually(t, func() bool { return len(list(t, server, "resque:failed")) == 8 }, time.Minute, 5*time.Millisecond)
	w := busy(t, server, 2, "exports", "m*")

	pages := strings.Split(strings.TrimSpace(ruby(t, server, "pages.rb")), "\n")
	for _, page := range pages {
		path, status, _ := strings.Cut(page, " ")
		if path == "/" || path == "/stats" { // they redirect to another page
			assert.Equal(t, "302", status, path)
			continue
		}
		assert.Equal(t, "200", status, path)
	}
	all := strings.Join(pages, "\n")
	for _, want := range []string{"/overview ", "/failed ", "/workers ", "/working ", "/queues/waiting ", "/stats.txt "} {
		assert.Contains(t, all, want)
	}
	for _, id := range w.IDs() {
		assert.Contains(t, all, "/workers/"+id+" ", "the links to the workers must be followed")
	}
	assert.Greater(t, len(pages), 30)
}
