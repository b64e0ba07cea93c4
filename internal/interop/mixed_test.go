package interop_test

import (
	"context"
	"fmt"
	"math/big"
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
	"github.com/goresque/goresque/worker"
)

// many is the number of jobs that each side enqueues for the other.
const many = 10_000

// counts is the output of info.rb.
type counts struct{ Pending, Processed, Queues, Workers, Working, Failed int }

// kind returns the last arguments of job i, as KINDS in testdata/mixed.rb does.
func kind(i int) []any {
	switch i % 7 {
	case 0:
		n := new(big.Int).Exp(big.NewInt(int64(i+7)), big.NewInt(23), nil)
		if i%2 == 1 {
			n.Neg(n)
		}
		return []any{n}
	case 1:
		return []any{float64(i) / 7, float64(i) * -1e15, float64(i) * 1e-9}
	case 2:
		return symbols(i)
	case 3:
		return hash(i)
	case 4:
		return long(i)
	case 5:
		return nested(i)
	default:
		return nil
	}
}

func symbols(i int) []any {
	return []any{strings.Repeat(string(rune(0x1F300+i%256)), i%9), fmt.Sprintf("\u2028<%d>&", i)}
}

func hash(i int) []any {
	return []any{struct {
		ID   int    `json:"id"`
		List []any  `json:"list"`
		Name string `json:"name"`
	}{i, []any{nil, []any{}, map[string]any{}, []string{strconv.Itoa(i)}}, fmt.Sprintf("n°%d", i)}}
}

func long(i int) []any { return []any{strings.Repeat("<é&\u2028>", i%500)} }

func nested(i int) []any {
	inner := []any{}
	for range i % 40 {
		inner = []any{inner}
	}
	return []any{inner}
}

// mixed returns the first n jobs of testdata/mixed.rb.
func mixed(t *testing.T, n int) []resque.Job {
	t.Helper()
	rows := arguments(t)
	jobs := make([]resque.Job, n)
	for i := range jobs {
		args := slices.Concat([]any{i}, rows[i%len(rows)], kind(i))
		jobs[i] = resque.Job{Queue: "mixed", Class: "Mixed", Args: args}
	}
	return jobs
}

// performedJobs counts the jobs that Go has performed.
type performedJobs struct {
	mu    sync.Mutex
	times map[int]int // by the job's number
	wrong []string    // payloads that were not as expected
}

// handler returns a handler that counts jobs. A job's first argument is its
// number n, and its payload should be want[n]. perform returns the job's result.
func (l *performedJobs) handler(want []string, perform func(i int) error) resque.Handler {
	l.times = map[int]int{}
	mux := resque.NewMux()
	mux.HandleFunc("Mixed", func(_ context.Context, job *resque.Payload) error {
		i, err := strconv.Atoi(string(job.Args[0]))
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.times[i]++
		if i >= len(want) || string(job.Raw) != want[i] {
			l.wrong = append(l.wrong, string(job.Raw))
		}
		l.mu.Unlock()
		return perform(i)
	})
	return mux
}

// requireOnce fails the test unless each of n jobs was performed once, by Go or by
// Ruby, with the right arguments.
func (l *performedJobs) requireOnce(t *testing.T, server *redistest.Server, n int) (inGo, inRuby int) {
	t.Helper()
	l.mu.Lock() // the worker may still run
	defer l.mu.Unlock()
	require.Empty(t, l.wrong)
	require.Empty(t, list(t, server, "resque:differs"))
	times := make([]int, n)
	for i, count := range l.times {
		times[i] += count
	}
	ruby := list(t, server, "resque:seen:ruby")
	for _, text := range ruby {
		i, err := strconv.Atoi(text)
		require.NoError(t, err)
		times[i]++
	}
	for i, count := range times {
		require.Equal(t, 1, count, "times that job %d was performed", i)
	}
	return len(l.times), len(ruby)
}

// everyHundredth fails every hundredth job, as mixed.rb does.
func everyHundredth(i int) error {
	if i%100 == 99 {
		return fmt.Errorf("no job %d", i)
	}
	return nil
}

// counted returns the counters, read from Redis without a Resque library.
func counted(t *testing.T, server *redistest.Server) counts {
	t.Helper()
	c := server.Conn(t)
	number := func(command string, args ...any) int {
		n, err := redis.Int(c.Do(command, args...))
		if err != nil {
			require.ErrorIs(t, err, redis.ErrNil)
		}
		return n
	}
	return counts{
		Pending:   number("LLEN", "resque:queue:mixed"),
		Processed: number("GET", "resque:stat:processed"),
		Queues:    number("SCARD", "resque:queues"),
		Workers:   number("SCARD", "resque:workers"),
		Failed:    number("LLEN", "resque:failed"),
	}
}

func TestManyJobsFromRubyToGo(t *testing.T) {
	t.Parallel()
	server := start(t)
	ruby(t, server, "enqueue_mixed.rb", "0", strconv.Itoa(many))
	want := payloads(t, mixed(t, many))
	require.Equal(t, counts{Pending: many, Queues: 1}, counted(t, server))

	var done performedJobs
	w := newWorker(t, server, done.handler(want, everyHundredth), worker.Config{
		Queues: []string{"mixed"}, Concurrency: 8, UntilEmpty: true,
	})
	require.NoError(t, w.Run(t.Context()))
	done.requireOnce(t, server, many)
	after := counts{Processed: many, Failed: many / 100, Queues: 1}
	assert.Equal(t, after, counted(t, server))
	assert.Equal(t, after, reply[counts](t, ruby(t, server, "info.rb")))
}

func TestManyJobsFromGoToRuby(t *testing.T) {
	t.Parallel()
	server := start(t)
	enqueue(t, server, mixed(t, many)...)
	require.Equal(t, counts{Pending: many, Queues: 1}, reply[counts](t, ruby(t, server, "info.rb")))

	after := counts{Processed: many, Failed: many / 100, Queues: 1}
	rubyWith(t, server, []string{"FORK_PER_JOB=false", "FAIL=100"}, "work_mixed.rb")
	assert.Equal(t, after, reply[counts](t, ruby(t, server, "info.rb")))
	assert.Equal(t, after, counted(t, server))
	(&performedJobs{}).requireOnce(t, server, many)
}

// Ruby and Go fill one queue together, and workers of both perform the jobs.
func TestRubyAndGoWorkersShareAQueue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fork string
		n    int
	}{
		"Ruby forks":         {"FORK_PER_JOB=true", 400},
		"Ruby does not fork": {"FORK_PER_JOB=false", 4000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			jobs := mixed(t, test.n)
			filled := make(chan struct{})
			go func() {
				defer close(filled)
				ruby(t, server, "enqueue_mixed.rb", "0", strconv.Itoa(test.n/2))
			}()
			enqueue(t, server, jobs[test.n/2:]...)
			<-filled

			var done performedJobs
			c := server.Conn(t)
			meet := sync.OnceValue(func() error { // both must perform at least one job
				_, err := c.Do("LPUSH", "resque:here:go", 1)
				if err == nil {
					_, err = redis.Strings(c.Do("BLPOP", "resque:here:ruby", 120))
				}
				return err
			})
			w := newWorker(t, server, done.handler(payloads(t, jobs), func(int) error { return meet() }), worker.Config{
				Queues: []string{"mixed"}, Concurrency: 4,
			})
			goWork(t, w)
			rubyWith(t, server, []string{test.fork, "MEET=1"}, "work_mixed.rb")
			require.Eventually(t, func() bool { return counted(t, server).Processed == test.n },
				time.Minute, 10*time.Millisecond)

			inGo, inRuby := done.requireOnce(t, server, test.n)
			t.Logf("%d jobs in Go, %d in Ruby", inGo, inRuby)
			assert.Positive(t, inGo)
			assert.Positive(t, inRuby)
			want := counts{Processed: test.n, Queues: 1, Workers: 4}
			assert.Equal(t, want, counted(t, server))
			assert.Equal(t, want, reply[counts](t, ruby(t, server, "info.rb")))
		})
	}
}

// Ruby removes every second job, one by one, by its bytes.
func TestRubyDequeuesEveryKindThatGoEnqueued(t *testing.T) {
	t.Parallel()
	const n = 840 // every pair of arguments and kind, ten times
	server := start(t)
	jobs := mixed(t, n)
	enqueue(t, server, jobs...)
	assert.Equal(t, "1", strings.TrimSpace(ruby(t, server, "dequeue_mixed.rb", "0", strconv.Itoa(n), "2")), "each call must remove one job")
	var want []string
	for i, payload := range payloads(t, jobs) {
		if i%2 == 1 {
			want = append(want, payload)
		}
	}
	require.Equal(t, want, list(t, server, "resque:queue:mixed"))

	enqueue(t, server, resque.Job{Queue: "mixed", Class: "Exporter", Args: []any{1}})
	assert.Equal(t, strconv.Itoa(n/2), strings.TrimSpace(ruby(t, server, "dequeue_mixed.rb")), "without arguments, all jobs of the class are removed")
	assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`}, list(t, server, "resque:queue:mixed"))
}
