package store_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

func TestARefusedEffectKeepsTheRecord(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "v", "w")
		f.push(t, "q", "a", "b")
		refused, fine := f.failed(f.take(t, "v", "q"), "{}"), f.done(f.take(t, "w", "q"))
		f.do(t, "SET", "resque:failed", "not a list")
		for range 2 {
			x := f.exchange(t, nil, []store.Outcome{refused, fine}, f.slots("v", "w")...)
			require.ErrorContains(t, x.Finished[0].Err, "WRONGTYPE")
			assert.True(t, store.Refused(x.Finished[0].Err))
			require.NoError(t, x.Finished[1].Err, "the other outcome is not affected")
			require.Len(t, x.Reserved, 1, "the job is still in its record")
			assert.Equal(t, "v", x.Reserved[0].Worker)
			assert.Equal(t, "1", f.get(t, "resque:stat:processed"), "of w")
		}
		f.do(t, "DEL", "resque:failed")
		x := f.exchange(t, nil, []store.Outcome{refused, refused})
		assert.Equal(t, []store.FinishResult{{Ours: true}, {}}, x.Finished)
		assert.Equal(t, []string{"{}"}, f.list(t, "resque:failed"))
		assert.Equal(t, "2", f.get(t, "resque:stat:processed"))
		assert.Equal(t, "1", f.get(t, "resque:stat:failed"))
	})
}

func TestARefusedCounterDoesNotKeepAJobFromFinishing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", "a")
		f.do(t, "SET", "resque:stat:processed", "many")
		x := f.exchange(t, nil, []store.Outcome{f.done(f.take(t, "w", "q"))})
		assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
		assert.Equal(t, "1", f.get(t, "resque:stat:processed:w"))
		assert.Zero(t, f.exists(t, recordKey("w")))
	})
}

func TestAQueueThatIsNotAListIsAFault(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "u", "v", "w")
		f.push(t, "low", "a", "b", "c")
		held := f.take(t, "u", "low")
		f.do(t, "SET", "resque:queue:high", "not a list")
		x, err := f.Exchange(t.Context(), []string{"high", "low"}, []store.Outcome{f.done(held)}, f.slots("u", "v", "w"))
		require.NoError(t, err)
		require.ErrorContains(t, x.Fault, "WRONGTYPE")
		assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
		assert.Len(t, x.Reserved, 2, "several slots get jobs of the other queues")
		assert.Empty(t, x.Unknown)
	})
}

func TestKeysOfAnotherTypeAreFaults(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", "a", "b")
		held := f.take(t, "w", "q")
		f.do(t, "RENAME", "resque:workers", "elsewhere")
		f.do(t, "SET", "resque:workers", "not a set")
		x, err := f.Exchange(t.Context(), []string{"q"}, []store.Outcome{f.done(held)}, f.slots("w"))
		require.NoError(t, err)
		require.ErrorContains(t, x.Fault, "WRONGTYPE")
		assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
		assert.Empty(t, x.Reserved)
		assert.Empty(t, x.Unknown)
		assert.Equal(t, []string{"b"}, f.list(t, "resque:queue:q"))
		_, err = f.Register(t.Context(), []string{"w"}, time.Now(), store.Intervals{}, true)
		require.ErrorContains(t, err, "WRONGTYPE")

		f.do(t, "RENAME", "elsewhere", "resque:workers")
		f.do(t, "RPUSH", "resque:pause-all-workers", "x")
		assert.Len(t, f.exchange(t, []string{"q"}, nil, f.slot("w")).Reserved, 1)
	})
}

// A record or queue that another program wrote must not stop the slots.
func TestForeignRecordsAndQueuesAreFaults(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "v", "w")
		f.do(t, "SET", recordKey("v"), "not JSON")
		f.push(t, "q", "a", "b")
		x, err := f.Exchange(t.Context(), []string{"bad\xff", "q"}, nil, f.slots("v", "w"))
		require.NoError(t, err)
		require.ErrorContains(t, x.Fault, `adopting the record of "v"`)
		require.Len(t, x.Reserved, 1)
		assert.Equal(t, "w", x.Reserved[0].Worker)
		assert.Equal(t, "q", x.Reserved[0].Queue)
		assert.Equal(t, "not JSON", f.get(t, recordKey("v")))

		f.exchange(t, nil, []store.Outcome{f.done(x.Reserved[0])})
		f.do(t, "DEL", recordKey("v"))
		x, err = f.Exchange(t.Context(), []string{"bad\xff", "q", "\xfe"}, nil, f.slots("v"))
		require.NoError(t, err)
		require.EqualError(t, x.Fault, `queue "\xfe": source sequence is illegal/malformed utf-8`)
		require.Len(t, x.Reserved, 1)
		assert.Equal(t, "q", x.Reserved[0].Queue)

		f.do(t, "SET", recordKey("v"), `{"payload":{"class":"A"},"queue":"q","run_at":"x"}`)
		x = f.exchange(t, nil, nil, f.slot("v"))
		f.do(t, "SET", recordKey("v"), `{"payload":{"class":"B"},"queue":"q","run_at":"y"}`)
		x = f.exchange(t, nil, []store.Outcome{f.done(x.Reserved[0])})
		assert.Equal(t, []store.FinishResult{{}}, x.Finished, "a record in another order is compared as a whole")

		f.do(t, "SET", recordKey("v"), `{"queue":"q","run_at":"x"}`)
		require.ErrorContains(t, f.Retire(t.Context(), []string{"v"}), `unregistering "v": a worker's record without a payload`)
		record, err := f.Record(t.Context(), "v")
		require.NoError(t, err)
		assert.JSONEq(t, `{"queue":"q","run_at":"x"}`, string(record.Raw))
		assert.JSONEq(t, `{"queue":"q","run_at":"x"}`, string(wire.RestorePayload(record.Payload)))
	})
}

func TestNoJobIsLostWhileRedisIsFull(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	f.register(t, "u", "v", "w")
	f.push(t, "q", "a", "b", "c")
	failed, unstarted := f.failed(f.take(t, "u", "q"), "{}"), f.requeue(f.take(t, "v", "q"))
	f.do(t, "CONFIG", "SET", "maxmemory", 1)
	err := f.Push(t.Context(), "q", []byte("d"))
	require.ErrorContains(t, err, "OOM")
	require.True(t, store.Refused(err))
	for range 2 {
		x, err := f.Exchange(t.Context(), nil, []store.Outcome{failed, unstarted}, nil)
		require.NoError(t, err)
		for _, s := range x.Finished {
			require.ErrorContains(t, s.Err, "OOM")
		}
		assert.Equal(t, 2, f.exists(t, recordKey("u"), recordKey("v")))
	}
	x, err := f.Exchange(t.Context(), []string{"q"}, nil, f.slots("w"))
	require.NoError(t, err)
	assert.Equal(t, 1, len(x.Reserved)+len(f.list(t, "resque:queue:q")), "the job is in its queue or in a record")
	f.do(t, "CONFIG", "SET", "maxmemory", 0)
	x = f.exchange(t, nil, []store.Outcome{failed, unstarted}, f.slots("w")...)
	assert.Equal(t, []store.FinishResult{{Ours: true}, {Ours: true}}, x.Finished)
	assert.Equal(t, []string{"{}"}, f.list(t, "resque:failed"))
	assert.Equal(t, "b", f.list(t, "resque:queue:q")[0])
}

// If Redis refuses to write records, their jobs are put back in their queue in order.
func TestJobsWithoutRecordsArePutBackInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	f.register(t, names("w%d", 4)...)
	long := args(`"` + strings.Repeat("x", 70_000) + `"`) // its record is written alone
	f.push(t, "q", long, "2", "3", "4", "5", "6")
	f.do(t, "ACL", "SETUSER", "default", "-mset")
	x, err := f.Exchange(t.Context(), []string{"q"}, nil, f.slots(names("w%d", 4)...))
	require.NoError(t, err)
	require.Error(t, x.Fault)
	require.Len(t, x.Reserved, 1)
	assert.Equal(t, long, string(x.Reserved[0].Payload))
	assert.Equal(t, []string{"2", "3", "4", "5", "6"}, f.list(t, "resque:queue:q"))
}

func TestScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		f.push(t, "q", "a", "b")
		r := f.take(t, "w", "q")
		f.do(t, "SCRIPT", "FLUSH")
		x := f.exchange(t, []string{"q"}, []store.Outcome{f.done(r)}, f.slot("w"))
		assert.True(t, x.Finished[0].Ours)
		require.Len(t, x.Reserved, 1)
		f.do(t, "SCRIPT", "FLUSH")
		require.NoError(t, f.Retire(t.Context(), []string{"w"}))
	})
}

// behind returns a store that connects through a proxy, and the proxy.
func behind(t *testing.T, f fixture) (*redistest.Proxy, *store.Store) {
	t.Helper()
	proxy := f.server.Proxy(t)
	return proxy, store.New((&redistest.Server{URL: proxy.URL}).Open(t))
}

func TestAnExchangeIsRepeatableAfterALostReply(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		f.register(t, "w")
		f.push(t, "q", "a", "b")
		done := f.done(f.take(t, "w", "q"))
		slots := f.slots("w")
		other := done
		other.Guard = nil
		_, err := remote.Exchange(t.Context(), []string{"q"}, []store.Outcome{other}, nil) // this loads the script
		require.NoError(t, err)
		proxy.Cut()
		_, err = remote.Exchange(t.Context(), []string{"q"}, []store.Outcome{done}, slots)
		require.Error(t, err)
		var notSent *store.NotSentError
		require.False(t, errors.As(err, &notSent))

		x, err := remote.Exchange(t.Context(), []string{"q"}, []store.Outcome{done}, slots)
		require.NoError(t, err)
		assert.Equal(t, []store.FinishResult{{}}, x.Finished)
		require.Len(t, x.Reserved, 1)
		assert.True(t, x.Reserved[0].Adopted)
		assert.Equal(t, "b", string(x.Reserved[0].Payload))
		assert.Equal(t, "1", f.get(t, "resque:stat:processed"))
	})
}

func TestALateReplyIsNotReadByTheNextCall(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		proxy, remote := behind(t, f)
		f.register(t, "w")
		f.push(t, "q", "a")
		require.NoError(t, remote.Ping(t.Context()))
		release := proxy.Hold()
		for limit := 50 * time.Millisecond; ; limit *= 2 { // on a busy machine it may be over before anything is sent
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := remote.Exchange(ctx, []string{"q"}, nil, f.slots("w"))
			require.Error(t, err)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				continue
			}
			_, err = remote.Workers(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			break
		}
		release()
		workers, err := remote.Workers(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"w"}, workers)
	})
}

func TestCallsAreNotSentWithoutRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Server{URL: "redis://127.0.0.1:" + redistest.FreePort(t)}
	gone := store.New(s.Open(t))
	_, x := gone.Exchange(t.Context(), nil, nil, nil)
	_, register := gone.Register(t.Context(), []string{"w"}, time.Now(), store.Intervals{}, false)
	_, queues := gone.Queues(t.Context())
	_, workers := gone.Workers(t.Context())
	for _, err := range []error{
		x, register, queues, workers, gone.Ping(t.Context()), gone.Push(t.Context(), "q", nil),
		gone.Beat(t.Context(), []string{"w"}, store.Intervals{}), gone.Retire(t.Context(), []string{"w"}),
	} {
		var notSent *store.NotSentError
		require.ErrorAs(t, err, &notSent)
		assert.False(t, store.Refused(err))
		assert.Equal(t, 1, strings.Count(err.Error(), "connecting to Redis"), err)
	}
}
