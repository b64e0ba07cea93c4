package worker_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/limit"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/status"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

var (
	modelSeeds = flag.Uint64("modelseeds", 24, "how many sequences of steps TestPoliciesKeepTheirPromises takes; make soak takes more")
	modelSeed  = flag.Uint64("modelseed", 0, "the only sequence that TestPoliciesKeepTheirPromises takes; it prints the steps")
)

// modelClass is a class of jobs that have a key and a number. Jobs with the same key are equal.
type modelClass struct {
	resque.Definition2[string, int]

	name   string
	places int  // how many jobs with a key may run at once; 0 means any number
	alone  bool // a job is not performed while an equal one is, whatever happens

	// Which equal jobs refuse a job that is enqueued.
	refusesWaiting, refusesRunning bool
}

func modelClasses() []modelClass {
	by := unique.Args(1)
	now, later := retry.Policy{Limit: 2, Record: retry.LastOnly}, retry.Policy{Limit: 2, Delay: retry.After(time.Hour), Record: retry.LastOnly}
	places := func(n int64) limit.Policy { return limit.Policy{Concurrency: n, By: limit.Arg(1)} }
	class := func(c modelClass, settings ...resque.Setting) modelClass {
		c.Definition2 = resque.Define2[string, int](c.name, "work", settings...)
		return c
	}
	return []modelClass{
		class(modelClass{name: "Plain"}),
		class(modelClass{name: "Retried"}, now),
		class(modelClass{name: "Limited", places: 2}, places(2), later),
		class(modelClass{name: "Shown"}, status.Policy{}, now),
		class(modelClass{name: "Lock", refusesWaiting: true, refusesRunning: true}, unique.Policy{By: by}, later),
		class(modelClass{name: "LockBegun", refusesWaiting: true}, unique.Policy{By: by, Until: unique.Begun}, now),
		class(modelClass{name: "Loner", refusesWaiting: true}, unique.Policy{By: by, Style: unique.Loner}, later),
		class(modelClass{name: "LonerDone", refusesWaiting: true, refusesRunning: true}, unique.Policy{By: by, Style: unique.Loner, Until: unique.Done}),
		class(modelClass{name: "Timeout", alone: true}, unique.Policy{By: by, Style: unique.LockTimeout}, now),
		class(modelClass{name: "TimeoutLoner", alone: true, refusesWaiting: true, refusesRunning: true}, unique.Policy{By: by, Style: unique.LockTimeoutLoner}, later),
		class(modelClass{name: "Uniq", places: 1, refusesWaiting: true}, unique.Policy{By: by, Style: unique.Uniqueness}, places(1), now),
		class(modelClass{name: "UniqDone", alone: true, refusesWaiting: true}, unique.Policy{By: by, Style: unique.Uniqueness, Until: unique.Done}, later),
		class(modelClass{name: "While", alone: true}, unique.Policy{By: by, Style: unique.UniquenessWhile}, now),
		class(modelClass{name: "All", places: 1, refusesWaiting: true, refusesRunning: true}, unique.Policy{By: by}, places(1), later, status.Policy{}),
	}
}

// modelJob is a job of the model, of which there may be several copies: a failure that is
// requeued is a further one.
type modelJob struct {
	class *modelClass
	key   string
	id    int

	copies        int // that were pushed
	done, removed int // copies that have ended
	killed        bool
	taken         bool // a copy was removed while it waited
}

func (j *modelJob) job() resque.Job { return j.class.Job(j.key, j.id) }
func (j *modelJob) group() string   { return j.class.name + " " + j.key }
func (j *modelJob) take(n int64) {
	j.removed, j.taken = j.removed+int(n), j.taken || n > 0
}
func (j *modelJob) String() string { return fmt.Sprintf("%s(%s, %d)", j.class.name, j.key, j.id) }

// modelWorker performs one job at a time as a coroutine, so that nothing happens at the same
// time: it runs until a handler is called, and goes on when next is called again.
type modelWorker struct {
	*worker.Worker
	mux   *resque.Mux
	yield func(*modelJob) bool
	next  func() (*modelJob, bool)
	stop  func()

	id      string
	job     *modelJob // that its handler performs, or nil
	result  error     // of the handler
	last    bool      // the worker stops after this job
	drain   func()
	killed  bool // as if its process were dead: it does not go on, and its record stays
	pruned  bool
	working error // of WorkOff
}

// policyModel is a server, and what should be there.
type policyModel struct {
	t       *testing.T
	rand    *rand.Rand
	c       redis.Conn
	client  *resque.Client
	mux     *resque.Mux
	classes []modelClass
	jobs    []*modelJob
	workers []*modelWorker
	steps   []string

	// The groups of equal jobs that had a copy without a lock. Which of them has the lock
	// is not certain until none is left.
	unclear map[string]bool
}

func newPolicyModel(t *testing.T, seed uint64) *policyModel {
	t.Helper()
	s := redistest.StartReal(t)
	m := &policyModel{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // a test
		c: s.Conn(t), classes: modelClasses(), unclear: map[string]bool{},
	}
	m.mux = m.newMux(nil)
	m.client = s.Client(t).WithJobs(m.mux)
	for i := range 4 {
		w := &modelWorker{}
		w.mux = m.newMux(w)
		// The queues are part of the ids, which therefore differ.
		w.Worker = newWorker(t, s, w.mux, worker.Config{Queues: []string{"work", fmt.Sprint("w", i)}, MaxWaiting: -1})
		m.workers = append(m.workers, w)
	}
	return m
}

// newMux returns a mux for the jobs of w. Its handlers wait until the model lets them go on.
func (m *policyModel) newMux(w *modelWorker) *resque.Mux {
	mux := resque.NewMux()
	for i := range m.classes {
		mux.Handle(m.classes[i].Handler(func(_ context.Context, _ string, id int) error {
			if !w.yield(m.jobs[id]) || w.last {
				w.drain()
			}
			return w.result
		}))
	}
	return mux
}

func (m *policyModel) note(format string, args ...any) {
	m.steps = append(m.steps, fmt.Sprintf(format, args...))
}

func (m *policyModel) pick(n int) int { return m.rand.IntN(n) }

// found are the copies of jobs in Redis.
type found struct {
	queued  []resque.QueuedJob
	delayed []resque.DelayedJob
	failed  []resque.FailedJob
	waits   map[int]int // by the number of the job
	runs    map[int]int
	fails   map[int]int
}

func jobNumber(t *testing.T, args []json.RawMessage) (id int) {
	t.Helper()
	require.Len(t, args, 2)
	require.NoError(t, json.Unmarshal(args[1], &id))
	return id
}

// look returns the copies of jobs, and checks that none has vanished.
func (m *policyModel) look() found {
	m.t.Helper()
	ctx := m.t.Context()
	f := found{waits: map[int]int{}, runs: map[int]int{}, fails: map[int]int{}}
	var err error
	f.queued, _, err = m.client.Queue("work").Page(ctx, 0, 1000)
	require.NoError(m.t, err)
	for _, q := range f.queued {
		f.waits[m.idOf(q)]++
	}
	for d, err := range m.client.Delayed().Jobs(ctx, resque.DelayedFilter{All: true}) {
		require.NoError(m.t, err)
		f.delayed = append(f.delayed, d)
		f.waits[jobNumber(m.t, d.Args)]++
	}
	for j, err := range m.client.Failures().Oldest(ctx, resque.FailureFilter{All: true}) {
		require.NoError(m.t, err)
		f.failed = append(f.failed, j)
		f.fails[jobNumber(m.t, j.Args)]++
	}
	working, err := m.client.Working(ctx)
	require.NoError(m.t, err)
	for _, w := range working {
		f.runs[jobNumber(m.t, w.Job.Args)]++
	}
	return f
}

func (m *policyModel) idOf(q resque.QueuedJob) int {
	m.t.Helper()
	p, err := resque.ParsePayload("work", q.Raw)
	require.NoError(m.t, err)
	return jobNumber(m.t, p.Args)
}

// check checks the place of each copy of each job, and notes which locks have become unclear.
func (m *policyModel) check() found {
	m.t.Helper()
	f := m.look()
	for _, j := range m.jobs {
		now := f.waits[j.id] + f.runs[j.id] + f.fails[j.id] + j.done + j.removed
		if j.killed { // a worker may have dropped it
			require.LessOrEqual(m.t, now, j.copies, "copies of %v", j)
		} else {
			require.Equal(m.t, j.copies, now, "copies of %v: waiting %d, running %d, failed %d, done %d, removed %d",
				j, f.waits[j.id], f.runs[j.id], f.fails[j.id], j.done, j.removed)
		}
	}
	for _, j := range m.jobs {
		waits, runs := m.equal(f, j)
		switch {
		case waits+runs == 0:
			delete(m.unclear, j.group())
		case waits > 1 || j.class.refusesRunning && waits+runs > 1:
			m.unclear[j.group()] = true
		}
	}
	return f
}

// equal returns how many copies of jobs that are equal to j wait and run.
func (m *policyModel) equal(f found, j *modelJob) (waits, runs int) {
	for _, other := range m.jobs {
		if other.group() == j.group() {
			waits, runs = waits+f.waits[other.id], runs+f.runs[other.id]
		}
	}
	return waits, runs
}

// finish performs what is left, and checks that nothing else is.
func (m *policyModel) finish() {
	ctx := m.t.Context()
	for range 500 {
		f := m.check()
		busy := len(f.queued)+len(f.delayed) > 0
		for _, w := range m.workers {
			switch {
			case w.job == nil:
				if len(f.queued) > 0 {
					m.start(w)
				}
				continue
			case w.killed && !w.pruned:
				m.prune(w)
			default:
				m.end(w, nil)
			}
			busy = true
		}
		if !busy {
			break
		}
		m.runDelayed(f, true)
	}
	f := m.check()
	require.Empty(m.t, f.waits, "jobs wait for ever")
	require.Empty(m.t, f.runs, "jobs run for ever")
	for _, failed := range f.failed {
		m.jobs[jobNumber(m.t, failed.Args)].removed++
	}
	_, err := m.client.Failures().RemoveAll(ctx, resque.RemoveOptions{}, resque.FailureFilter{All: true}, nil)
	require.NoError(m.t, err)
	m.check()
	_, err = status.Clear(ctx, m.client, status.Completed, status.Failed, status.Killed)
	require.NoError(m.t, err)
	keys, err := redis.Strings(m.c.Do("KEYS", "*"))
	require.NoError(m.t, err)
	require.Empty(m.t, slices.DeleteFunc(keys, m.stays), "keys are left")
}

// stays reports whether a key may be left: one that is not of a job, or that expires. Such are
// the note of a job that was removed while it waited for a limit and, whatever has happened to the job, the failure of an attempt that the plugin
// of Ruby shows, and the number of crashes.
func (m *policyModel) stays(key string) bool {
	switch key {
	case "resque:queues", "resque:stat:processed", "resque:stat:failed":
		return true
	}
	if do(m.t, m.c, "PTTL", key) == int64(-1) {
		return false
	}
	if strings.HasPrefix(key, "resque:failure-resque-retry:") || strings.HasPrefix(key, "resque:goresque:crashes:") {
		return true
	}
	return slices.ContainsFunc(m.jobs, func(j *modelJob) bool {
		return j.taken && key == fmt.Sprintf("resque:goresque:parked:c:%s:%q", j.class.name, j.key)
	})
}

// TestPoliciesKeepTheirPromises takes random steps: jobs with policies are enqueued, performed,
// killed, retried, requeued and removed. After each step, each copy of a job waits, runs, has
// failed, was performed or was removed, and a job is refused if and only if an equal one is
// there. At most as many run as their limit allows. At the end nothing of them is left.
func TestPoliciesKeepTheirPromises(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), *modelSeeds
	if *modelSeed > 0 {
		first, last = *modelSeed, *modelSeed
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := newPolicyModel(t, seed)
			defer func() {
				if t.Failed() || *modelSeed > 0 {
					t.Logf("the steps, again with -run TestPoliciesKeepTheirPromises -args -modelseed=%d:\n%s", seed, strings.Join(m.steps, "\n"))
				}
				for _, w := range m.workers {
					if w.job != nil {
						w.stop()
					}
				}
			}()
			for range 60 {
				m.step()
			}
			m.finish()
		})
	}
}
