package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// stage is the progress of a run of the matrix.
type stage int32

const (
	starting stage = iota // four jobs wait
	idling                // they are done
	pushing               // a fifth is pushed
	stopping              // the sixth is running, and Redis has forgotten its scripts
)

// point is a command at which the connection is cut: the nth of its kind in a stage.
type point struct {
	part string
	at   stage
	op   string
	nth  int
	why  string
}

// points returns all commands of a worker from start to end, in order.
func points() []point {
	return []point{
		{"register", starting, "CLIENT SETNAME", 1, "announcing the process"},
		{"register", starting, "CLIENT LIST", 1, "looking for a twin"},
		{"register", starting, "TIME", 1, ""},
		{"register", starting, "EVALSHA register", 1, "answered NOSCRIPT"},
		{"register", starting, "EVAL register", 1, ""},
		{"register", starting, "HGETALL", 1, "looking for a record of a dead worker"},
		{"register", starting, "GET", 1, "looking for a record of a dead worker"},
		{"reserve", starting, "EVALSHA reserve", 1, "answered NOSCRIPT"},
		{"reserve", starting, "EVAL reserve", 1, "brings job 1"},
		{"reserve", pushing, "EVALSHA reserve", 1, "brings job 5"},
		{"finish", starting, "EVALSHA finish+reserve", 1, "job 1 done, brings job 2"},
		{"finish", starting, "EVALSHA finish+reserve", 3, "job 3 done, brings job 4"},
		{"finish", starting, "EVALSHA finish+reserve", 4, "job 4 failed, none is left"},
		{"finish", stopping, "EVALSHA finish", 1, "job 6 done, answered NOSCRIPT"},
		{"finish", stopping, "EVAL finish", 1, "job 6 done"},
		{"wait", starting, "CLIENT ID", 1, ""},
		{"wait", starting, "SUBSCRIBE", 1, ""},
		{"wait", starting, "CLIENT TRACKING", 1, ""},
		{"wait", starting, "EXISTS", 1, "arming"},
		{"wait", pushing, "EXISTS", 1, "arming again"},
		{"heartbeat", idling, "PING", 1, "checking the presence"},
		{"heartbeat", idling, "TIME", 1, "of a beat or a sweep"},
		{"heartbeat", idling, "EVALSHA beat", 1, ""},
		{"sweep", idling, "HGETALL", 1, ""},
		{"retire", stopping, "EVALSHA retire", 1, "answered NOSCRIPT"},
		{"retire", stopping, "EVAL retire", 1, ""},
		{"retire", stopping, "CLIENT TRACKING", 1, "giving back a connection"},
		{"retire", stopping, "CLIENT SETNAME", 1, "giving back a connection"},
	}
}

// operation names a request: its command and, for scripts, what it is to do.
func operation(request []string) string {
	command := strings.ToUpper(request[0])
	switch command {
	case "CLIENT":
		return command + " " + strings.ToUpper(request[1])
	case "EVAL", "EVALSHA":
		keys, err := strconv.Atoi(request[2])
		if err != nil {
			return command
		}
		return command + " " + scripted(request[3:3+keys], request[3+keys:])
	default:
		return command
	}
}

func scripted(keys, args []string) string {
	switch {
	case keys[0] == "resque:pause-all-workers" && args[3] == "0":
		return "finish"
	case keys[0] == "resque:pause-all-workers" && args[2] == "0":
		return "reserve"
	case keys[0] == "resque:pause-all-workers":
		return "finish+reserve"
	case keys[0] == "resque:workers" && (args[0] == "0" || args[0] == "1"):
		return "register"
	case keys[0] == "resque:workers" && isTime(args[0]):
		return "beat"
	default:
		return "retire"
	}
}

func isTime(text string) bool {
	_, err := wire.ParseTime(text)
	return err == nil
}

// lived is the result of one run.
type lived struct {
	refused   bool // Run returned at the start, because it could not reach Redis
	performed map[int64]int
	processed int64
	failed    int64
}

// TestCutAtEveryCommand cuts the connection between a worker and Redis before, in the
// middle of and after each command and each reply. Six jobs always end in the same way.
// A worker that cannot reach Redis at its start returns an error and takes no job; when
// it is started again, it performs them.
func TestCutAtEveryCommand(t *testing.T) {
	t.Parallel()
	redistest.StartReal(t) // or skip
	fates := []struct {
		name string
		fate fate
	}{
		{"before the request", cut},
		{"within the request", tear},
		{"before the reply", swallow},
		{"within the reply", garble},
		{"after the reply", finish},
	}
	var (
		mu   sync.Mutex
		rows [][]string
	)
	t.Cleanup(func() { t.Log("\n" + table(rows)) })
	for i, p := range points() {
		for j, f := range fates {
			t.Run(fmt.Sprintf("%s, %s %d, %s", p.part, p.op, p.nth, f.name), func(t *testing.T) {
				t.Parallel()
				got := p.live(t, f.fate)
				mu.Lock()
				defer mu.Unlock()
				rows = append(rows, append([]string{fmt.Sprintf("%02d.%d", i+1, j+1), p.part, p.op, p.why, f.name}, got.words()...))
				if p.part != "register" || f.fate != finish { // there it depends on which connection is used next
					assert.Equal(t, p.part == "register", got.refused, "only a worker that starts gives up")
				}
				assert.Equal(t, map[int64]int{1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}, got.performed)
				assert.EqualValues(t, 6, got.processed)
				assert.EqualValues(t, 1, got.failed)
			})
		}
	}
}

// live runs one worker with one cut.
func (p point) live(t *testing.T, f fate) lived {
	t.Helper()
	server := redistest.StartReal(t)
	c := server.Conn(t)
	enqueue(t, server, exporters(4)...)
	var (
		at    atomic.Int32
		seen  atomic.Int64
		fired = make(chan struct{})
	)
	behind := relayTo(t, server, func(request []string) fate {
		if stage(at.Load()) == p.at && operation(request) == p.op && seen.Add(1) == int64(p.nth) {
			close(fired)
			return f
		}
		return pass
	})
	performed := newTally(6)
	inHand, release := make(chan struct{}), make(chan struct{})
	w := newWorker(t, behind, sixth(performed, inHand, release), worker.Config{
		Queues: []string{"exports"}, HeartbeatInterval: 30 * time.Millisecond,
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	var refused atomic.Bool
	go func() {
		err := w.Run(ctx)
		if err != nil && ctx.Err() == nil {
			refused.Store(true)
			err = w.Run(ctx)
		}
		ended <- err
	}()
	finished := func(n int64) {
		eventually(t, func() bool {
			return number(t, c, "resque:stat:processed") == n
		}, fmt.Sprintf("%d jobs are not finished", n))
	}
	cutBy := func(s stage) {
		if p.at == s {
			eventually(t, func() bool { return closed(fired) }, "the cut never came")
		}
	}
	finished(4)
	cutBy(starting)
	at.Store(int32(idling))
	beats(t, c, w)
	cutBy(idling)
	beats(t, c, w)
	at.Store(int32(pushing))
	do(t, c, "RPUSH", "resque:queue:exports", `{"class":"Exporter","args":[5]}`)
	finished(5)
	cutBy(pushing)
	do(t, c, "RPUSH", "resque:queue:exports", `{"class":"Exporter","args":[6]}`)
	<-inHand
	do(t, c, "SCRIPT", "FLUSH")
	at.Store(int32(stopping))
	stop()
	close(release)
	require.NoError(t, <-ended)
	require.True(t, closed(fired), "the cut never came")
	requireFinished(t, server, 6, 1)
	return lived{refused.Load(), performed.times, number(t, c, "resque:stat:processed"), number(t, c, "resque:stat:failed")}
}

// sixth performs jobs as a tally does; the sixth lasts until it is released.
func sixth(c *tally, inHand chan<- struct{}, release <-chan struct{}) *resque.Mux {
	mux := resque.NewMux()
	mux.Handle(resque.Define1[int64]("Exporter", "exports").Handler(func(_ context.Context, id int64) error {
		c.count(id)
		switch id {
		case 4:
			return errors.New("the fourth fails")
		case 6:
			close(inHand)
			<-release
		}
		return nil
	}))
	return mux
}

// beats takes a worker's heartbeats away and waits for the next ones.
func beats(t *testing.T, c redis.Conn, w *worker.Worker) {
	t.Helper()
	for _, id := range w.IDs() {
		do(t, c, "HDEL", "resque:workers:heartbeat", id)
		require.Eventually(t, func() bool { // a minute: timeouts notice a connection that fails silently
			return do(t, c, "HEXISTS", "resque:workers:heartbeat", id) == int64(1)
		}, time.Minute, 5*time.Millisecond, "the worker sends no heartbeat")
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// words are an outcome's columns.
func (l lived) words() []string {
	run := "stays up"
	if l.refused {
		run = "start refused; started again"
	}
	least, most := 1, 0
	for id := range int64(6) {
		least, most = min(least, l.performed[id+1]), max(most, l.performed[id+1])
	}
	performed := fmt.Sprintf("between %d and %d times", least, most)
	if least == 1 && most == 1 {
		performed = "each once"
	}
	return []string{run, performed, fmt.Sprintf("%d processed, %d failed", l.processed, l.failed)}
}

// table lays rows out in columns, in the order of the first.
func table(rows [][]string) string {
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	return text.String()
}
