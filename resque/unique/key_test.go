package unique_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // the plugin's digest
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/worker"
)

// lockedBy enqueues a job and returns the keys of its locks, without the namespace.
func lockedBy(t *testing.T, s *redistest.Server, class string, p unique.Policy, args ...any) []string {
	t.Helper()
	c := s.Conn(t)
	mux := resque.NewMux()
	mux.HandleFunc(class, nothing, p)
	route, _ := mux.Route(class)
	receipt, err := s.Client(t).Enqueue(t.Context(), route.Job(args...).To("work"))
	require.NoError(t, err)
	require.Equal(t, resque.Queued, receipt.State)
	return lockKeys(t, c)
}

// lockKeys returns all keys of locks, without the namespace.
func lockKeys(t *testing.T, c redis.Conn) (locks []string) {
	t.Helper()
	keys, err := redis.Strings(c.Do("KEYS", "*"))
	require.NoError(t, err)
	for _, key := range keys {
		key = strings.TrimPrefix(key, "resque:")
		for _, prefix := range []string{"lock:", "loner:lock:", "loners:", "queueing:", "performing:"} {
			if strings.HasPrefix(key, prefix) {
				locks = append(locks, key)
			}
		}
	}
	return locks
}

func TestKeysAreThePlugins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		plugin, class string
		style         unique.Style
	}{
		{"lock", "Locked", unique.ResqueLock},
		{"lock-redis5", "Locked", unique.ResqueLock},
		{"loner", "Uniq", unique.Loner},
		{"loner-redis5", "Uniq", unique.Loner},
		{"lock_timeout", "Locked", unique.LockTimeoutLoner},
		{"lock_timeout-redis5", "Locked", unique.LockTimeoutLoner},
		{"uniqueness", "Uniq", unique.Uniqueness},
	} {
		t.Run(c.plugin, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			keys := golden.LockKeys(t, c.plugin)
			require.Len(t, keys, 13)
			for _, k := range keys {
				args := make([]any, len(k.Args))
				for i, arg := range k.Args {
					args[i] = arg
				}
				want := k.Key
				if k.LonerKey != "" {
					want = k.LonerKey
				}
				assert.Equal(t, []string{want}, lockedBy(t, s, c.class, unique.Policy{Style: c.style}, args...), "%s", k.Args)
				_, err := s.Conn(t).Do("FLUSHALL")
				require.NoError(t, err)
			}
		})
	}
}

type customer struct {
	ID   int    `json:"id" resque:"unique"`
	Name string `json:"name"`
	At   place  `json:"at"`
}

type place struct {
	City string `resque:"unique"`
	Zip  string
}

func TestKeysBySelectedArguments(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	ada, bob := customer{1, "Ada", place{"Bonn", "1"}}, customer{1, "Bob", place{"Bonn", "2"}}
	whole := resque.Define2[customer, int]("Tagged", "work", unique.Policy{})
	first := resque.Define2[int, int]("First", "work", unique.Policy{By: unique.Args(1)})
	swapped := resque.Define2[int, int]("Swapped", "work", unique.Policy{By: unique.Args(2, 1)})
	client := s.Client(t)
	receipts, err := client.EnqueueAll(t.Context(), []resque.Job{
		whole.Job(ada, 1), whole.Job(bob, 1), whole.Job(bob, 2),
		first.Job(1, 2), first.Job(1, 3), first.Job(2, 2), swapped.Job(1, 2),
	})
	require.NoError(t, err)
	assert.Equal(t, 2, receipts.Duplicates())
	assert.Equal(t, resque.Duplicate, receipts[1].State)
	assert.Equal(t, resque.Duplicate, receipts[4].State)
	assert.ElementsMatch(t, []string{
		`lock:Tagged-[{"id"=>1, "at"=>{"City"=>"Bonn"}}, 1]`, `lock:Tagged-[{"id"=>1, "at"=>{"City"=>"Bonn"}}, 2]`,
		"lock:First-[1]", "lock:First-[2]", "lock:Swapped-[2, 1]",
	}, lockKeys(t, s.Conn(t)))

	// A job without the argument is refused, and is not queued without a lock.
	job := first.Job(1, 2)
	job.Args = []any{}
	_, err = client.Enqueue(t.Context(), job)
	assert.ErrorContains(t, err, "By has argument 1; the job has 0")
}

// Ruby 3.4 writes a hash with blanks around the arrow, in the keys of locks and of counted
// attempts.
func TestKeysAsRuby34InspectsHashes(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	plain := s.Client(t)
	client, err := resque.New(plain.Redis().WithRubyInspect(resque.RubyInspect34), resque.Config{})
	require.NoError(t, err)
	hash := map[string]any{"a": []any{map[string]any{"b": nil}, map[string]any{}}}
	locked := resque.Define1[map[string]any]("Locked", "work", unique.Policy{})
	timeout := resque.Define1[map[string]any]("Timeout", "work", unique.Policy{Style: unique.LockTimeoutLoner}, retry.Policy{Limit: 2, Delay: retry.After(time.Hour)})
	_, err = client.EnqueueAll(t.Context(), []resque.Job{locked.Job(hash), timeout.Job(hash)})
	require.NoError(t, err)
	c := s.Conn(t)
	text := `{"a" => [{"b" => nil}, {}]}`
	assert.ElementsMatch(t, []string{"lock:Locked-[" + text + "]", "loner:lock:Timeout:" + text}, lockKeys(t, c))

	mux := resque.NewMux()
	mux.Handle(timeout.Handler(func(context.Context, map[string]any) error { return errBoom }))
	mux.Handle(locked.Handler(func(context.Context, map[string]any) error { return nil }))
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"work"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
	counter := fmt.Sprintf("resque:resque-retry:Timeout:%x", sha1.Sum([]byte(text))) //nolint:gosec // the plugin's digest
	exists, err := redis.Bool(c.Do("EXISTS", counter))
	require.NoError(t, err)
	assert.True(t, exists)
	assert.Equal(t, []string{"loner:lock:Timeout:" + text}, lockKeys(t, c), "the job waits for another attempt")
}
