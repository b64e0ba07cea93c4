package store_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// largePayloads returns payloads of about n bytes that take Lua longest to check.
func largePayloads(n int) map[string]string {
	return map[string]string{
		"text":          `{"class":"A","args":["` + strings.Repeat("x", n) + `"]}`,
		"empty objects": `{"class":"A","args":[` + strings.Repeat("{},", n/3) + `{}]}`,
		"bad UTF-8":     `{"class":"A","args":["` + strings.Repeat("\xff", n) + `"]}`,
		"bytes":         strings.Repeat("\xff\x00\"\\", n/4),
		"brackets":      `{"class":"A","args":` + strings.Repeat("[", n),
	}
}

// The script splices a payload that is too large to check. Exchange rewrites the
// record if Ruby could not read it.
func TestRecordsOfUncheckedPayloadsAreReadable(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		for name, payload := range largePayloads(100_000) {
			f.push(t, "q", payload)
			r := f.take(t, "w", "q")
			require.Equal(t, payload, string(r.Payload), name)
			asIs := name == "text" || name == "empty objects"
			want := `"payload":` + payload + "}"
			if !asIs {
				want = `"payload":` + string(wire.UnreadablePayload([]byte(payload))) + "}"
			}
			require.True(t, f.get(t, recordKey("w")) == string(r.Guard)+want, name)

			r.Adopted = true
			require.Equal(t, []store.Reserved{r}, f.exchange(t, []string{"q"}, nil, f.slot("w")).Reserved, name)
			x := f.exchange(t, nil, []store.Outcome{f.done(r)})
			require.True(t, x.Finished[0].Ours, name)
		}
	})
}

// died leaves a record as a worker leaves it that dies before it has checked the payload.
func (f fixture) died(t *testing.T, worker, payload string) store.Reserved {
	t.Helper()
	f.push(t, "q", payload)
	r := f.take(t, worker, "q")
	f.do(t, "SET", recordKey(worker), string(r.Guard)+wire.PayloadMember+payload+"}")
	return r
}

// A sweeper rewrites the record of a worker that died before it could do so, as the worker
// itself would have.
func TestRepairRecord(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		payloads := largePayloads(100_000)
		payloads["a list"] = "[" + strings.Repeat("1,", 50_000) + "1]"
		for name, payload := range payloads {
			r := f.died(t, "w", payload)
			readable := name == "text" || name == "empty objects"
			want := payload
			if !readable {
				want = string(wire.UnreadablePayload([]byte(payload)))
			}
			head, repaired, err := f.RepairRecord(t.Context(), "w", "")
			require.NoError(t, err, name)
			require.Equal(t, !readable, repaired, name)
			require.True(t, f.get(t, recordKey("w")) == string(r.Guard)+wire.PayloadMember+want+"}", name)

			head, repaired, err = f.RepairRecord(t.Context(), "w", head)
			require.NoError(t, err, name)
			require.False(t, repaired, name)
			require.True(t, strings.HasPrefix(head, string(r.Guard)), name)
			x := f.exchange(t, nil, []store.Outcome{f.done(r)})
			require.True(t, x.Finished[0].Ours, name)
			require.Zero(t, f.exists(t, recordKey("w")))
			head, repaired, err = f.RepairRecord(t.Context(), "w", head)
			require.NoError(t, err, name)
			require.False(t, repaired, "there is no record")
			require.Empty(t, head)
			require.Zero(t, f.exists(t, recordKey("w")))
		}
		for _, record := range []string{"\xff not JSON", `{"payload":[1],"queue":"q","run_at":"x"}`} { // of another program
			f.do(t, "SET", recordKey("w"), record)
			_, repaired, err := f.RepairRecord(t.Context(), "w", "")
			require.NoError(t, err)
			require.False(t, repaired)
			require.Equal(t, record, f.get(t, recordKey("w")))
		}
	})
}

// interposed is a Redis that calls before before each command.
type interposed struct {
	store.Redis
	before func(command string, args []any)
}

func (i interposed) Conn(ctx context.Context) (redis.Conn, error) {
	c, err := i.Redis.Conn(ctx)
	return interposedConn{c, i.before}, err
}

type interposedConn struct {
	redis.Conn
	before func(command string, args []any)
}

func (c interposedConn) Do(command string, args ...any) (any, error) {
	c.before(command, args)
	return c.Conn.Do(command, args...)
}

// A sweeper repairs the record of a live worker, which is just about to rewrite it itself.
func TestRepairRecordOfALiveWorker(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		rdb, payload := f.server.Open(t), largePayloads(100_000)["bad UTF-8"]
		isRewrite := func(command string, args []any) bool { return command == "EVALSHA" && args[1] == 1 }
		for name, moment := range map[string]func(command string, args []any) bool{
			"before it reads the record":    func(command string, _ []any) bool { return command == "GET" },
			"before it rewrites the record": isRewrite,
		} {
			f.push(t, "q", payload)
			repairs := 0
			live := store.New(interposed{rdb, func(command string, args []any) {
				if moment(command, args) {
					_, repaired, err := f.RepairRecord(t.Context(), "w", "")
					require.NoError(t, err, name)
					require.True(t, repaired, name)
					repairs++
				}
			}})
			x, err := live.Exchange(t.Context(), []string{"q"}, nil, []store.Slot{f.slot("w")})
			require.NoError(t, err, name)
			require.NoError(t, x.Fault, name)
			require.Equal(t, 1, repairs, name)
			require.Len(t, x.Reserved, 1, name)
			r := x.Reserved[0]
			require.True(t, string(r.Payload) == payload, name)
			want := string(r.Guard) + wire.PayloadMember + string(wire.UnreadablePayload([]byte(payload))) + "}"
			require.True(t, f.get(t, recordKey("w")) == want, name)
			require.True(t, f.exchange(t, nil, []store.Outcome{f.done(r)}).Finished[0].Ours, name)
		}
	})
}

// Another program may push the payload of a record or a failure. If it is an unreadable
// payload, the job gets the bytes that it contains, whatever their length.
func TestAnUnreadablePayloadInAQueueIsRestored(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		for _, n := range []int{100, 100_000} {
			for name, payload := range largePayloads(n) {
				f.push(t, "q", string(wire.UnreadablePayload([]byte(payload))))
				r := f.take(t, "w", "q")
				require.Equal(t, payload, string(r.Payload), "%s of %d bytes", name, n)
				f.exchange(t, nil, []store.Outcome{f.done(r)})
			}
		}
	})
}

// A call checks a bounded number of bytes in total. It does not check the last of many
// payloads that are each small enough.
func TestOneCallChecksABoundedNumberOfBytes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("w%d", 8)
		f.register(t, workers...)
		payload := args("\"" + strings.Repeat("\n", 40_000) + "\"")
		for range workers {
			f.push(t, "q", payload)
		}
		x := f.exchange(t, []string{"q"}, nil, f.slots(workers...)...)
		require.Len(t, x.Reserved, len(workers))
		for _, w := range workers {
			assert.Contains(t, f.get(t, recordKey(w))[:200], wire.Unreadable, w)
		}
	})
}

// More reports that there are jobs left in the queue for the next call.
func TestOneCallCopiesABoundedNumberOfBytes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers := names("w%d", 10)
		f.register(t, workers...)
		for i := range workers {
			f.push(t, "q", fmt.Sprintf(`{"class":"A","args":[%d,"%s"]}`, i, strings.Repeat("x", 600_000)))
		}
		var taken []store.Reserved
		free := f.slots(workers...)
		for calls := 1; ; calls++ {
			x := f.exchange(t, []string{"q"}, nil, free...)
			require.Len(t, x.Reserved, 2)
			taken = append(taken, x.Reserved...)
			free = free[len(x.Reserved):]
			require.Equal(t, len(free) > 0, x.More, "after %d calls", calls)
			if !x.More {
				break
			}
		}
		for i, r := range taken {
			assert.Equal(t, workers[i], r.Worker)
			assert.True(t, strings.HasPrefix(string(r.Payload), fmt.Sprintf(`{"class":"A","args":[%d,`, i)), "the order is kept")
		}
	})
}

// A call copies less than 1 MB and one more payload, whatever the calls before it took. A payload
// that was popped and given back is copied twice.
func TestLargePayloadsAfterSmallOnesAreCopiedOneByOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.StartReal(t))
	workers, large := names("w%d", 32), args(`"`+strings.Repeat("x", 1_100_000)+`"`)
	f.register(t, workers...)
	f.exchange(t, []string{"q"}, nil, f.slots(workers...)...) // loads the script
	for i := range 64 {
		f.push(t, "q", args(strconv.Itoa(i)))
	}
	var finished []store.Outcome
	for range 2 {
		x := f.exchange(t, []string{"q"}, finished, f.slots(workers...)...)
		require.Len(t, x.Reserved, 32)
		finished = nil
		for _, r := range x.Reserved {
			finished = append(finished, f.done(r))
		}
	}
	f.push(t, "q", args("1"), args("2"))
	for range 8 {
		f.push(t, "q", large)
	}
	for _, want := range []int{3, 1, 1} { // the first call has two short jobs also
		stop := f.server.Monitor(t)
		x := f.exchange(t, []string{"q"}, finished, f.slots(workers...)...)
		require.Len(t, x.Reserved, want)
		require.True(t, x.More)
		finished, workers = nil, workers[want:]
		pops, longest, copied := 0, 0, 0
		for _, words := range stop() {
			bytes := 0
			for _, word := range words {
				bytes += len(word)
			}
			switch words[0] {
			case "evalsha", "eval":
				longest, copied, pops = max(longest, copied), 0, 0
			case "LPOP":
				require.Len(t, words, 2)
				pops++
				require.LessOrEqual(t, pops, want, "in one call")
			case "LPUSH", "SET", "MSET", "APPEND":
				copied += bytes
			}
		}
		require.Less(t, max(longest, copied), 1_200_000)
	}
}

func TestManyQueuesCopyABoundedNumberOfBytes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		workers, queues := names("w%d", 4), names("q%d", 20)
		f.register(t, workers...)
		for _, q := range queues[10:14] {
			f.push(t, q, args(`"`+strings.Repeat("x", 600_000)+`"`))
		}
		x := f.exchange(t, queues, nil, f.slots(workers...)...)
		require.Len(t, x.Reserved, 2)
		require.True(t, x.More)
		x = f.exchange(t, queues, nil, f.slots(workers[2:]...)...)
		require.Len(t, x.Reserved, 2)
		require.False(t, x.More)
	})
}

// BenchmarkLongestCommand reports how long the longest command blocked Redis while
// slots reserved and finished jobs with large payloads, after short ones. For comparison it
// also reports how long a script took that only popped such a payload, which Redis copies.
func BenchmarkLongestCommand(b *testing.B) {
	for _, slots := range []int{1, 32} {
		for _, mb := range []int{2, 5, 20} {
			for name, payload := range largePayloads(mb << 20) {
				b.Run(fmt.Sprintf("slots=%d/MB=%d/%s", slots, mb, strings.ReplaceAll(name, " ", "_")), func(b *testing.B) {
					f := newFixture(b, redistest.StartReal(b))
					workers := names("w%d", slots)
					f.register(b, workers...)
					f.do(b, "CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 100_000)
					bare := 0.0
					for b.Loop() {
						for range workers {
							f.push(b, "q", args("1"))
						}
						var finished []store.Outcome
						for _, r := range f.exchange(b, []string{"q"}, nil, f.slots(workers...)...).Reserved {
							finished = append(finished, f.done(r))
						}
						for range workers {
							require.NoError(b, f.Push(b.Context(), "q", []byte(payload)))
						}
						f.do(b, "RPUSH", "bare", payload)
						f.do(b, "SLOWLOG", "RESET")
						f.do(b, "EVAL", "redis.call('LPOP', KEYS[1]) return 1", 1, "bare")
						bare = longest(b, f)
						f.do(b, "SLOWLOG", "RESET")
						free := f.slots(workers...)
						for len(free) > 0 {
							x := f.exchange(b, []string{"q"}, finished, free...)
							require.NotEmpty(b, x.Reserved)
							finished, free = nil, free[len(x.Reserved):]
							for _, r := range x.Reserved {
								_, err := f.Exchange(b.Context(), nil, []store.Outcome{f.failed(r, `{"payload":`+string(wire.UnreadablePayload(r.Payload))+`}`)}, nil)
								require.NoError(b, err)
							}
						}
					}
					b.ReportMetric(longest(b, f), "longest-ms")
					b.ReportMetric(bare, "bare-pop-ms")
				})
			}
		}
	}
}

// longest returns the milliseconds of the slowest command in the slow log.
func longest(b *testing.B, f fixture) float64 {
	b.Helper()
	entries, err := redis.Values(f.do(b, "SLOWLOG", "GET", 100_000), nil)
	require.NoError(b, err)
	most := int64(0)
	for _, e := range entries {
		most = max(most, e.([]any)[2].(int64))
	}
	return float64(most) / 1000
}
