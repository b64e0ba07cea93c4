package resume_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/resume"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

const always = time.Nanosecond // as SaveEvery: after each item

// after returns the numbers after a cursor, up to last.
func after(last int) func(int) iter.Seq2[int, int] {
	return func(cursor int) iter.Seq2[int, int] {
		return func(yield func(int, int) bool) {
			for n := cursor + 1; n <= last; n++ {
				if !yield(n, n) {
					return
				}
			}
		}
	}
}

func to(last int) []int {
	return slices.Collect(func(yield func(int) bool) {
		for _, n := range after(last)(0) {
			if !yield(n) {
				return
			}
		}
	})
}

// sheet notes items.
type sheet struct {
	mu    sync.Mutex
	items []int
}

func (s *sheet) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(s.items, n)
}

func newWorker(t testing.TB, client *resque.Client, route resque.Route, cfg worker.Config) *worker.Worker {
	t.Helper()
	mux := resque.NewMux()
	mux.Handle(route)
	cfg.Queues, cfg.Logger = []string{"imports"}, slog.New(slog.DiscardHandler)
	w, err := worker.New(client, mux, cfg)
	require.NoError(t, err)
	return w
}

func stat(t *testing.T, client *resque.Client, name string) int64 {
	t.Helper()
	n, err := client.Stat(t.Context(), name)
	require.NoError(t, err)
	return n
}

// cursors returns the keys of positions.
func cursors(t *testing.T, s *redistest.Server) []string {
	t.Helper()
	keys, err := redis.Strings(s.Conn(t).Do("KEYS", "resque:goresque:cursor:*"))
	require.NoError(t, err)
	return keys
}

func TestStopReturnsTheJobAndTheNextWorkerGoesOn(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		importer := resque.Define1[int]("Import", "imports", resume.Policy{})
		for i := range 2 {
			_, err := client.Enqueue(t.Context(), importer.Job(i))
			require.NoError(t, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var done sheet
		route := importer.Handler(func(jobCtx context.Context, id int) error {
			return resume.Each(jobCtx, after(10), func(_ context.Context, n int) error {
				if done.add(100*id + n); id == 0 && n == 5 {
					stop()
					<-resque.Stopping(jobCtx)
				}
				return nil
			})
		})
		require.NoError(t, newWorker(t, client, route, worker.Config{}).Run(ctx))
		assert.Equal(t, to(5), done.items, "the item was completed")
		assert.Zero(t, stat(t, client, "processed")+stat(t, client, "failed"))
		var waiting []string
		for job, err := range client.Peek(t.Context(), "imports", 0, 5) {
			require.NoError(t, err)
			waiting = append(waiting, string(job.Args[0]))
		}
		assert.Equal(t, []string{"0", "1"}, waiting, "it is at the front")
		keys := cursors(t, s)
		require.Len(t, keys, 1)
		ttl, err := redis.Int64(s.Conn(t).Do("TTL", keys[0]))
		require.NoError(t, err)
		assert.InDelta(t, 30*24*60*60, ttl, 3600)

		require.NoError(t, newWorker(t, client, route, worker.Config{UntilEmpty: true}).Run(t.Context()))
		assert.Equal(t, to(10), done.items[:10])
		assert.Len(t, done.items, 20)
		assert.EqualValues(t, 2, stat(t, client, "processed"))
		assert.Empty(t, cursors(t, s), "the end removes the position")
	})
}

func TestFailedItemIsRepeatedByTheNextAttempt(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	importer := resque.Define0("Import", "imports", resume.Policy{}, retry.Policy{Limit: 3})
	_, err := client.Enqueue(t.Context(), importer.Job())
	require.NoError(t, err)
	var done sheet
	failures := 0
	route := importer.Handler(func(ctx context.Context) error {
		item := func(_ context.Context, n int) error {
			if n == 3 && failures < 2 {
				failures++
				return errors.New("busy")
			}
			done.add(n)
			return nil
		}
		if err := resume.Each(ctx, after(4), item); err != nil {
			return err
		}
		return resume.Each(ctx, after(3), func(ctx context.Context, n int) error { return item(ctx, 100+n) })
	})
	require.NoError(t, newWorker(t, client, route, worker.Config{UntilEmpty: true}).Run(t.Context()))
	assert.Equal(t, []int{1, 2, 3, 4, 101, 102, 103}, done.items)
	assert.EqualValues(t, 2, stat(t, client, "failed"))
	assert.Empty(t, cursors(t, s))
}

func TestMaxRuntimeGivesOtherJobsTheirTurn(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	importer := resque.Define1[int]("Import", "imports", resume.Policy{MaxRuntime: always})
	for i := range 2 {
		_, err := client.Enqueue(t.Context(), importer.Job(i))
		require.NoError(t, err)
	}
	var done sheet
	route := importer.Handler(func(ctx context.Context, id int) error {
		return resume.Each(ctx, after(3), func(_ context.Context, n int) error { done.add(10*id + n); return nil })
	})
	require.NoError(t, newWorker(t, client, route, worker.Config{UntilEmpty: true}).Run(t.Context()))
	assert.Equal(t, []int{1, 11, 2, 12, 3, 13}, done.items)
	assert.EqualValues(t, 2, stat(t, client, "processed"))
}

func TestInlineJobsGoThroughAllItems(t *testing.T) {
	t.Parallel()
	importer := resque.Define0("Import", "imports", resume.Policy{})
	mux := resque.NewMux()
	var done sheet
	mux.Handle(importer.Handler(func(ctx context.Context) error {
		return resume.Each(ctx, after(3), func(_ context.Context, n int) error { done.add(n); return nil })
	}))
	client, err := resque.New(nil, resque.Config{Inline: mux})
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), importer.Job())
	require.NoError(t, err)
	assert.Equal(t, to(3), done.items)
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	err := resume.Each(t.Context(), after(3), func(context.Context, int) error { return nil })
	require.ErrorIs(t, err, resume.ErrNoPolicy)
	assert.PanicsWithValue(t, `resque: class "A": setting 1: resume.Policy: SaveEvery is -1ns; it must not be negative`, func() {
		resque.Define0("A", "q", resume.Policy{SaveEvery: -1})
	})

	s := redistest.Start(t)
	client := s.Client(t)
	importer := resque.Define0("Import", "imports", resume.Policy{SaveEvery: always})
	_, err = client.Enqueue(t.Context(), importer.Job())
	require.NoError(t, err)
	route := importer.Handler(func(ctx context.Context) error {
		return resume.Each(ctx, func(any) iter.Seq2[any, int] {
			return func(yield func(any, int) bool) { yield(make(chan int), 1) }
		}, func(context.Context, int) error { return nil })
	})
	require.NoError(t, newWorker(t, client, route, worker.Config{UntilEmpty: true}).Run(t.Context()))
	for f, err := range client.Failures().Oldest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		assert.Contains(t, f.Error, "the cursor cannot be stored as JSON")
	}
	assert.EqualValues(t, 1, stat(t, client, "failed"))
}

// TestMain runs the tests, or a worker for a test that kills it.
func TestMain(m *testing.M) {
	url := os.Getenv("RESUME_TEST_URL")
	if url == "" {
		os.Exit(m.Run())
	}
	saveEvery, err := time.ParseDuration(os.Getenv("RESUME_TEST_SAVE_EVERY"))
	if err != nil {
		panic(err)
	}
	rdb, err := resque.Open(resque.RedisConfig{URL: url, DialTimeout: time.Minute})
	if err != nil {
		panic(err)
	}
	client, err := resque.New(rdb, resque.Config{})
	if err != nil {
		panic(err)
	}
	mux := resque.NewMux()
	mux.Handle(noting(rdb, saveEvery))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"imports"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	panic(w.Run(context.Background()))
}

// noting returns a job that notes its items in Redis, with how long the process has run then.
func noting(rdb *resque.Redis, saveEvery time.Duration) resque.Route {
	begun := time.Now()
	return resque.Define1[int]("Import", "imports", resume.Policy{SaveEvery: saveEvery}).Handler(func(ctx context.Context, items int) error {
		return resume.Each(ctx, after(items), func(ctx context.Context, n int) error {
			c, err := rdb.Conn(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Do("RPUSH", "noted", fmt.Sprintf("%d %d", n, time.Since(begun)))
			return err
		})
	})
}

// killing starts workers and kills them.
type killing struct {
	server    *redistest.Server
	client    *resque.Client
	conn      redis.Conn
	items     int
	saveEvery time.Duration
}

func newKilling(t *testing.T, items int, saveEvery time.Duration) *killing {
	t.Helper()
	s := redistest.Start(t)
	return &killing{s, s.Client(t), s.Conn(t), items, saveEvery}
}

// attempt starts a worker with the job, and kills it when is returns true.
func (k *killing) attempt(t *testing.T, is func() bool) {
	t.Helper()
	_, err := k.client.EnqueuePayload(t.Context(), "imports", fmt.Appendf(nil, `{"class":"Import","args":[%d]}`, k.items))
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RESUME_TEST_URL="+k.server.URL, "RESUME_TEST_SAVE_EVERY="+k.saveEvery.String())
	require.NoError(t, cmd.Start())
	end := func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(end)
	for late := time.Now().Add(time.Minute); !is(); {
		require.True(t, time.Now().Before(late))
	}
	end()
}

// note is an item that was performed.
type note struct {
	n  int
	at time.Duration
}

func (k *killing) notes(t *testing.T, from int) (all []note) {
	t.Helper()
	texts, err := redis.Strings(k.conn.Do("LRANGE", "noted", from, -1))
	require.NoError(t, err)
	for _, text := range texts {
		var item note
		_, err := fmt.Sscan(text, &item.n, (*int64)(&item.at))
		require.NoError(t, err)
		all = append(all, item)
	}
	return all
}

func (k *killing) noted(t *testing.T) int {
	t.Helper()
	n, err := redis.Int(k.conn.Do("LLEN", "noted"))
	require.NoError(t, err)
	return n
}

// saved returns the item whose position was saved last, or 0.
func (k *killing) saved(t *testing.T) (item int) {
	t.Helper()
	for _, key := range cursors(t, k.server) {
		text, err := redis.Bytes(k.conn.Do("GET", key))
		require.NoError(t, err)
		var position struct{ Cursor int }
		require.NoError(t, json.Unmarshal(text, &position))
		item = position.Cursor
	}
	return item
}

// A worker is killed in the middle of a job. The next attempt repeats at most the item whose
// position was not saved.
func TestKillRepeatsOnlyWhatWasNotSaved(t *testing.T) {
	t.Parallel()
	const items = 2000
	k := newKilling(t, items, always)
	attempts := 0
	for k.noted(t) < items {
		next := min(k.noted(t)+items/4, items)
		k.attempt(t, func() bool { return k.noted(t) >= next })
		attempts++
	}
	last, repeated := 0, 0
	for _, item := range k.notes(t, 0) {
		if item.n == last {
			repeated++
			continue
		}
		require.Equal(t, last+1, item.n, "an item was skipped")
		last = item.n
	}
	assert.LessOrEqual(t, repeated, attempts)
	t.Logf("%d attempts, %d items repeated", attempts, repeated)
}

// If the position is not saved after each item, a kill repeats what was done since it was
// saved, which is at most SaveEvery of work, and the item that was to be saved.
func TestKillRepeatsAtMostSaveEvery(t *testing.T) {
	t.Parallel()
	k := newKilling(t, 1_000_000_000, 30*time.Millisecond)
	for range 3 {
		from, before := k.noted(t), k.saved(t)
		more := -1 // how many items there must be, when the position was saved
		k.attempt(t, func() bool {
			if more < 0 && k.saved(t) > before {
				more = k.noted(t) + 20
			}
			return more >= 0 && k.noted(t) >= more
		})
		saved, notes := k.saved(t), k.notes(t, from)
		assert.Equal(t, before+1, notes[0].n, "it goes on after the position")
		repeated := slices.DeleteFunc(notes, func(item note) bool { return item.n <= saved })
		if len(repeated) > 2 {
			first, last := repeated[0], repeated[len(repeated)-2]
			assert.Less(t, last.at-first.at, k.saveEvery, "%d items are repeated", len(repeated))
		}
		t.Logf("saved %d of %d, %d repeated", saved, before+len(notes), len(repeated))
	}
}

func TestSaveEveryIsFiveSecondsByDefault(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 5*time.Second, resume.WithDefaults(resume.Policy{}).SaveEvery)
	assert.Equal(t, time.Second, resume.WithDefaults(resume.Policy{SaveEvery: time.Second}).SaveEvery)
}
