package resque_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// record is a failure of a payload, with more members behind the others.
func recordOf(payload, more string) string {
	return `{"failed_at":"2026/01/15 12:00:00 UTC","payload":` + payload +
		`,"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"exports"` + more + `}`
}

// only is the id of the only failure.
func (f failedFixture) only(t *testing.T) resque.FailureID {
	t.Helper()
	for job, err := range f.Newest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		return job.ID
	}
	require.Fail(t, "there is none")
	return resque.FailureID{}
}

func TestRequeueKeepsBytes(t *testing.T) {
	t.Parallel()
	payload := `{ "class":"A" ,"args":[1.50,12345678901234567890,"\u00e9\/",{}, []],"queued_by":{"b":1,"a":2}}`
	raw := "{\"class\":\"A\",\"args\":[\"\xff\"]}"
	unreadable := `{"class":"<unreadable>","args":[{"base64":"` + base64.StdEncoding.EncodeToString([]byte(raw)) + `"}]}`
	const mark = `,"retried_at":"{FAILED_AT}"`
	for _, test := range []struct {
		name, record, queued, left string
		how                        resque.RequeueOptions
	}{
		{"payload", recordOf(payload, ""), payload, recordOf(payload, mark), resque.RequeueOptions{}},
		{"unknown members", recordOf(payload, `,"x":[1, 2.0]`), payload, recordOf(payload, `,"x":[1, 2.0]`+mark), resque.RequeueOptions{}},
		{"blanks", recordOf(payload, "\n ") + "\n", payload, recordOf(payload, "\n "+mark) + "\n", resque.RequeueOptions{}},
		{"retried null", recordOf(payload, `,"retried_at":null,"x":1`), payload, recordOf(payload, mark+`,"x":1`), resque.RequeueOptions{}},
		{"again", recordOf(payload, `,"retried_at" : "","x":1`), payload, recordOf(payload, `,"retried_at" : "{FAILED_AT}","x":1`), resque.RequeueOptions{Again: true}},
		{"two payloads: the last counts", recordOf(`{"class":"B"}`, `,"payload":`+payload), payload, recordOf(`{"class":"B"}`, `,"payload":`+payload+mark), resque.RequeueOptions{}},
		{"unreadable text", recordOf(`{"class":"<unreadable>","args":["not <JSON>"]}`, ""), "not <JSON>", recordOf(`{"class":"<unreadable>","args":["not <JSON>"]}`, mark), resque.RequeueOptions{}},
		{"unreadable bytes", recordOf(unreadable, ""), raw, recordOf(unreadable, mark), resque.RequeueOptions{}},
		{"unreadable nothing", recordOf(`{"class":"<unreadable>","args":[""]}`, ""), "", recordOf(`{"class":"<unreadable>","args":[""]}`, mark), resque.RequeueOptions{}},
		{"no class", recordOf(`{}`, ""), `{}`, recordOf(`{}`, mark), resque.RequeueOptions{}},
		{"removed", recordOf(payload, ""), payload, "", resque.RequeueOptions{Remove: true}},
		{
			"other arguments", recordOf(payload, ""), `{ "class":"A" ,"args":["x<y",1.0],"queued_by":{"b":1,"a":2}}`,
			recordOf(payload, mark),
			resque.RequeueOptions{Args: []any{"x<y", 1.0}},
		},
		{"no arguments any more", recordOf(`{"class":"A","args":[1]}`, ""), `{"class":"A","args":[]}`, recordOf(`{"class":"A","args":[1]}`, mark), resque.RequeueOptions{Args: []any{}}},
		{"arguments for a payload without args", recordOf(`{"class":"A"}`, ""), `{"class":"A","args":[1]}`, recordOf(`{"class":"A"}`, mark), resque.RequeueOptions{Args: []any{1}}},
		{"arguments of no payload", recordOf(`{ }`, ""), `{ "args":[1]}`, recordOf(`{ }`, mark), resque.RequeueOptions{Args: []any{1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				f := newFailed(t, s, test.record)
				p, err := f.Requeue(t.Context(), test.how, f.only(t))
				require.NoError(t, err)
				assert.Equal(t, resque.BulkProgress{Total: 1, Seen: 1, Done: 1}, p)
				assert.Equal(t, []string{test.queued}, f.list(t, "queue:exports"))
				assert.Equal(t, []any{[]byte("exports")}, f.do(t, "SMEMBERS", "resque:queues"))
				left := f.list(t, "failed")
				if test.left == "" {
					assert.Empty(t, left)
					return
				}
				require.Len(t, left, 1)
				assert.Equal(t, golden.Clean(test.left), golden.Clean(left[0]))
				var marked struct {
					RequeuedAt string `json:"retried_at"`
				}
				require.NoError(t, json.Unmarshal([]byte(left[0]), &marked), left[0])
				at, err := time.Parse("2006/01/02 15:04:05 UTC", marked.RequeuedAt)
				require.NoError(t, err)
				assert.WithinDuration(t, time.Now(), at, time.Minute)
			})
		})
	}
}

func TestRequeueElsewhere(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t), failure("a", ""))
	_, err := f.Requeue(t.Context(), resque.RequeueOptions{Queue: "ürgent"}, f.only(t))
	require.NoError(t, err)
	assert.Equal(t, []string{`{"class":"Exporter","args":["a"],"extra":1.50}`}, f.list(t, "queue:ürgent"))
	assert.Empty(t, f.list(t, "queue:exports"))
	_, err = f.Requeue(t.Context(), resque.RequeueOptions{Queue: "\xff"}, f.only(t))
	require.ErrorContains(t, err, "not valid UTF-8")
	_, err = f.RequeueAll(t.Context(), resque.RequeueOptions{Args: []any{1, make(chan int)}}, resque.FailureFilter{All: true}, nil)
	require.ErrorContains(t, err, "argument 2")
}

// The error names the reason why a record cannot be requeued. The others are requeued.
func TestRequeueRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		record string
		want   error
		says   string
	}{
		"retried":             {failure("a", `,"retried_at":"2026/01/15 12:00:00"`), resque.ErrFailureRequeued, "before"},
		"not JSON":            {"junk", resque.ErrFailureDamaged, "no payload"},
		"not valid UTF-8":     {"{\"error\":\"\xff\"}", resque.ErrFailureDamaged, "no payload"},
		"the sentinel":        {"", resque.ErrFailureDamaged, "no payload"},
		"an array":            {"[1]", resque.ErrFailureDamaged, "no payload"},
		"no payload":          {`{"queue":"exports"}`, resque.ErrFailureDamaged, "no payload"},
		"payload null":        {recordOf("null", ""), resque.ErrFailureDamaged, "no payload"},
		"payload no object":   {recordOf(`"x"`, ""), resque.ErrFailureDamaged, "no payload"},
		"no queue":            {`{"payload":{"class":"A","args":[]}}`, resque.ErrFailureDamaged, "no queue"},
		"a queue that is odd": {`{"payload":{"class":"A","args":[]},"queue":7}`, resque.ErrFailureDamaged, "no queue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFailed(t, redistest.Start(t), test.record, failure("sound", ""))
			ids := []resque.FailureID{f.id(t, "sound")}
			for job, err := range f.Oldest(t.Context(), resque.FailureFilter{}) {
				require.NoError(t, err)
				ids = append(ids, job.ID)
				break
			}
			p, err := f.Requeue(t.Context(), resque.RequeueOptions{}, ids...)
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, ids[1].String())
			require.ErrorContains(t, err, test.says)
			assert.Equal(t, resque.BulkProgress{Total: 2, Seen: 2, Done: 1, Refused: 1}, p)
			assert.Equal(t, test.record, f.list(t, "failed")[0])
			assert.Len(t, f.list(t, "queue:exports"), 1)

			p, err = f.Remove(t.Context(), resque.RemoveOptions{}, ids[1])
			require.NoError(t, err, "any record can be removed")
			assert.EqualValues(t, 1, p.Done)
			assert.Len(t, f.list(t, "failed"), 1)
		})
	}
	t.Run("arguments of an unreadable payload", func(t *testing.T) {
		t.Parallel()
		f := newFailed(t, redistest.Start(t), recordOf(`{"class":"<unreadable>","args":["junk"]}`, ""))
		_, err := f.Requeue(t.Context(), resque.RequeueOptions{Args: []any{1}}, f.only(t))
		require.ErrorIs(t, err, resque.ErrFailureDamaged)
		assert.Empty(t, f.list(t, "queue:exports"))
	})
}

func TestDamagedRecordsAreListed(t *testing.T) {
	t.Parallel()
	records := map[string]string{
		"not JSON": "not the record of a failure", "": "not the record of a failure", "[]": "not an object", "\xff\x00": "not the record of a failure",
		`{}`: "failed_at", `{"failed_at":7}`: "payload", `{"failed_at":[7]}`: "failed_at", "null": "not an object",
		recordOf("null", ""): "payload", recordOf(`[1]`, ""): "payload", recordOf(`{"class":7}`, ""): "payload",
		strings.Replace(failure("x", ""), `"IOError"`, "null", 1):          "exception: not a string",
		strings.Replace(failure("x", ""), `["a.rb:1"]`, `"a.rb"`, 1):       "backtrace",
		strings.Replace(failure("x", ""), `["a.rb:1"]`, `[1]`, 1):          "backtrace",
		strings.Replace(failure("x", ""), `"worker":"w",`, ``, 1):          "worker",
		strings.Replace(failure("x", ""), `"queue":"exports"`, `"q":1`, 1): "queue",
	}
	f := newFailed(t, redistest.Start(t))
	for record := range records {
		f.push(t, resque.FailedList, record, failure("sound", ""))
	}
	damaged := 0
	for job, err := range f.Newest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		if job.Error == "sound" {
			require.NoError(t, job.Damage)
			continue
		}
		damaged++
		require.ErrorContains(t, job.Damage, records[string(job.Raw)], "%q", job.Raw)
		found, err := f.Find(t.Context(), job.ID)
		require.NoError(t, err)
		assert.Equal(t, job.Raw, found.Raw)
	}
	assert.Equal(t, len(records), damaged)
}

func TestAnActNamesItsFailure(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFailed(t, s, failure("a", ""), failure("b", ""), failure("c", ""))
		b, c := f.id(t, "b"), f.id(t, "c")

		// c moves to the place of b.
		f.do(t, "LREM", "resque:failed", 1, failure("b", ""))
		_, err := f.Find(t.Context(), b)
		require.ErrorIs(t, err, resque.ErrFailureChanged)
		p, err := f.Remove(t.Context(), resque.RemoveOptions{}, b)
		require.ErrorIs(t, err, resque.ErrFailureChanged)
		require.ErrorContains(t, err, b.String())
		assert.EqualValues(t, 1, p.Gone)
		_, err = f.Requeue(t.Context(), resque.RequeueOptions{}, b)
		require.ErrorIs(t, err, resque.ErrFailureChanged)
		assert.Equal(t, []string{failure("a", ""), failure("c", "")}, f.list(t, "failed"))
		assert.Empty(t, f.list(t, "queue:exports"))

		// c is found in front of its place, and what takes its number is not.
		f.push(t, resque.FailedList, failure("d", ""))
		job, err := f.Find(t.Context(), c)
		require.NoError(t, err)
		assert.EqualValues(t, 1, job.ID.Position)
		_, err = f.Remove(t.Context(), resque.RemoveOptions{}, c)
		require.NoError(t, err)
		assert.Equal(t, []string{failure("a", ""), failure("d", "")}, f.list(t, "failed"))

		// Once requeued it is another record.
		a := f.id(t, "a")
		_, err = f.Requeue(t.Context(), resque.RequeueOptions{}, a)
		require.NoError(t, err)
		_, err = f.Requeue(t.Context(), resque.RequeueOptions{Again: true}, a)
		require.ErrorIs(t, err, resque.ErrFailureChanged)
		assert.Len(t, f.list(t, "queue:exports"), 1)

		f.do(t, "DEL", "resque:failed")
		_, err = f.Remove(t.Context(), resque.RemoveOptions{}, a)
		require.ErrorIs(t, err, resque.ErrFailureChanged)
	})
}

// The selection of a page is acted on as one, whatever its order.
func TestActsOnASelection(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		const n = 500
		f := newFailed(t, s, numbered(n)...)
		var odd []resque.FailureID
		for job, err := range f.Newest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			if job.ID.Position%2 == 1 {
				odd = append(odd, job.ID, job.ID) // twice
			}
		}
		p, err := f.Requeue(t.Context(), resque.RequeueOptions{}, odd[:6]...)
		require.NoError(t, err)
		assert.EqualValues(t, 3, p.Done)
		assert.Len(t, f.list(t, "queue:exports"), 3)
		p, err = f.Remove(t.Context(), resque.RemoveOptions{}, odd...)
		require.ErrorIs(t, err, resque.ErrFailureChanged, "the three that were requeued are others now")
		assert.EqualValues(t, n/2-3, p.Done)
		assert.EqualValues(t, 3, p.Gone)
		left := f.list(t, "failed")
		require.Len(t, left, n/2+3)
		assert.Equal(t, failure("no. 0", ""), left[0])
		assert.Equal(t, failure("no. 2", ""), left[1])
	})
}

func TestRequeueAll(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		const n = 1234
		for _, how := range []resque.RequeueOptions{{}, {Remove: true}} {
			f := newFailed(t, s)
			f.do(t, "FLUSHALL")
			f.push(t, resque.FailedList, numbered(n)...)
			f.push(t, resque.FailedList, "junk", failure("retried", `,"retried_at":"x"`))
			var told []resque.BulkProgress
			p, err := f.RequeueAll(t.Context(), how, resque.FailureFilter{All: true}, func(p resque.BulkProgress) { told = append(told, p) })
			require.NoError(t, err)
			assert.Equal(t, resque.BulkProgress{Total: n + 2, Seen: n + 2, Done: n, Refused: 1}, p)
			assert.Greater(t, len(told), 3)
			assert.Equal(t, p, told[len(told)-1])
			queued := f.list(t, "queue:exports")
			require.Len(t, queued, n)
			for i, payload := range queued {
				require.Equal(t, fmt.Sprintf(`{"class":"Exporter","args":["no. %d"],"extra":1.50}`, i), payload)
			}
			marked := f.newest(t, resque.FailureFilter{Requeued: resque.OnlyRequeued})
			if how.Remove {
				assert.Equal(t, []string{"retried"}, marked)
				assert.Len(t, f.list(t, "failed"), 2)
				continue
			}
			assert.Len(t, marked, n+1)
			p, err = f.RequeueAll(t.Context(), how, resque.FailureFilter{All: true}, nil)
			require.NoError(t, err)
			assert.Zero(t, p.Done, "once is enough")
			p, err = f.RequeueAll(t.Context(), resque.RequeueOptions{Again: true}, resque.FailureFilter{Text: "no. 1"}, nil)
			require.NoError(t, err)
			assert.EqualValues(t, 1+10+100+235-1, p.Done)
		}
	})
}

func TestRemoveAllMatching(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f := newFailed(t, s, numbered(1500)...)
		p, err := f.RemoveAll(t.Context(), resque.RemoveOptions{Keep: time.Hour}, resque.FailureFilter{Text: "7"}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 1500, p.Seen)
		left := f.list(t, "failed")
		assert.Len(t, left, 1500-int(p.Done))
		for i, record := range left {
			require.NotContains(t, record, "7", "position %d", i)
		}
		require.Len(t, p.Trash, 1)
		ttl := f.do(t, "PTTL", "resque:goresque:trash:"+p.Trash[0])
		assert.InDelta(t, time.Hour.Milliseconds(), ttl, 60_000)

		n, err := f.Restore(t.Context(), p.Trash[0])
		require.NoError(t, err)
		assert.Equal(t, p.Done, n)
		all := f.list(t, "failed")
		require.Len(t, all, 1500)
		assert.Equal(t, failure("no. 7", ""), all[0])
		assert.Equal(t, failure("no. 17", ""), all[1])
		assert.Equal(t, left, all[n:])
		_, err = f.Restore(t.Context(), p.Trash[0])
		require.ErrorIs(t, err, resque.ErrNoTrash)
		_, err = f.Restore(t.Context(), "nonsense")
		require.ErrorIs(t, err, resque.ErrNoTrash)
	})
}

func TestBulkStopsWithTheContext(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t), numbered(1000)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := f.RequeueAll(ctx, resque.RequeueOptions{}, resque.FailureFilter{All: true}, func(resque.BulkProgress) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	assert.EqualValues(t, 50, p.Done, "the first part")
	assert.EqualValues(t, 1000, p.Total)
	p, err = f.RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{All: true}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 950, p.Done, "the rest")
	assert.Len(t, f.list(t, "queue:exports"), 1000)
}

// Several goroutines requeue and remove at the same time. No job is requeued twice or lost.
func TestActsInARace(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		const n = 2000
		f := newFailed(t, s, numbered(n)...)
		var acting sync.WaitGroup
		var mu sync.Mutex
		done := int64(0)
		count := func(p resque.BulkProgress, err error) {
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			done += p.Done
		}
		for range 3 {
			acting.Go(func() {
				count(f.RequeueAll(t.Context(), resque.RequeueOptions{Remove: true}, resque.FailureFilter{All: true}, nil))
			})
			acting.Go(func() {
				count(f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Text: "5"}, nil))
			})
		}
		acting.Wait()
		assert.EqualValues(t, n, done, "each once")
		assert.Empty(t, f.list(t, "failed"))
		seen := map[string]bool{}
		for _, payload := range f.list(t, "queue:exports") {
			require.False(t, seen[payload], "%s is there twice", payload)
			seen[payload] = true
		}
	})
}

func TestActsThatRedisRefuses(t *testing.T) {
	t.Parallel()
	t.Run("a queue's key is not a list", func(t *testing.T) {
		t.Parallel()
		redistest.Both(t, func(t *testing.T, s *redistest.Server) {
			f := newFailed(t, s, failure("a", ""))
			f.do(t, "SET", "resque:queue:exports", "x")
			for _, how := range []resque.RequeueOptions{{}, {Remove: true}} {
				p, err := f.Requeue(t.Context(), how, f.only(t))
				require.ErrorContains(t, err, "WRONGTYPE")
				assert.Zero(t, p.Done)
				_, err = f.RequeueAll(t.Context(), how, resque.FailureFilter{All: true}, nil)
				require.ErrorContains(t, err, "WRONGTYPE")
				assert.Equal(t, []string{failure("a", "")}, f.list(t, "failed"), "it is still there")
			}
		})
	})
	t.Run("a full Redis requeues nothing, but removes", func(t *testing.T) {
		t.Parallel()
		f := newFailed(t, redistest.StartReal(t), append(numbered(6), failure("no. 1", ""), failure("z", ""))...)
		f.do(t, "CONFIG", "SET", "maxmemory", 1)
		_, err := f.Requeue(t.Context(), resque.RequeueOptions{}, f.id(t, "z"))
		require.ErrorContains(t, err, "OOM")
		_, err = f.Remove(t.Context(), resque.RemoveOptions{Keep: time.Hour}, f.id(t, "z"))
		require.ErrorContains(t, err, "OOM", "there is no room for the trash")
		assert.Len(t, f.list(t, "failed"), 8)
		p, err := f.Remove(t.Context(), resque.RemoveOptions{}, f.id(t, "no. 5"), f.id(t, "no. 1"), f.id(t, "no. 3"))
		require.NoError(t, err)
		assert.EqualValues(t, 3, p.Done)
		assert.Equal(t, []string{"z", "no. 4", "no. 2", "no. 1", "no. 0"}, f.newest(t, resque.FailureFilter{}))
		p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Class: "Exporter"}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 5, p.Done)
	})
	t.Run("the context has ended", func(t *testing.T) {
		t.Parallel()
		f := newFailed(t, redistest.Start(t), failure("a", ""))
		id := f.only(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.Requeue(ctx, resque.RequeueOptions{}, id)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Len(t, f.list(t, "failed"), 1)
	})
}

func TestFailureIDs(t *testing.T) {
	t.Parallel()
	const digest = "0123456789abcdef"
	for text, want := range map[string]resque.FailureID{
		"0-" + digest:             {List: "failed", Digest: digest},
		"17-" + digest:            {List: "failed", Position: 17, Digest: digest},
		"a:b_failed:17-" + digest: {List: "a:b_failed", Position: 17, Digest: digest},
		"9-0_failed:9223372036854775807-" + digest: {List: "9-0_failed", Position: 1<<63 - 1, Digest: digest},
	} {
		id, err := resque.ParseFailureID(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, id)
		assert.Equal(t, text, id.String())
	}
	for _, text := range []string{
		"", "17", "17-", "-" + digest, "-1-" + digest, "x-" + digest, "17-" + digest + "0", "17-" + strings.ToUpper(digest),
		"9223372036854775808-" + digest, "17-0123456789abcdeg", "a:17", digest,
	} {
		_, err := resque.ParseFailureID(text)
		require.ErrorIs(t, err, resque.ErrFailureID, text)
	}
	assert.Equal(t, "1-"+digest, resque.FailureID{Position: 1, Digest: digest}.String())
}

// A filter that sets nothing may be a mistake, such as a variable that is empty.
func TestAnEmptyFilterIsNotEverything(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Conn(t)
	for range 3 {
		_, err := c.Do("RPUSH", "resque:failed", `{"failed_at":"2026/01/15 12:00:00 UTC","payload":{"class":"A","args":[]},"exception":"E","error":"m","backtrace":[],"worker":"w","queue":"q"}`)
		require.NoError(t, err)
	}
	f := s.Client(t).Failures()
	_, err := f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{Class: ""}, nil)
	require.ErrorIs(t, err, resque.ErrNoFilter)
	_, err = f.RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{}, nil)
	require.ErrorIs(t, err, resque.ErrNoFilter)
	n, err := f.Count(t.Context(), resque.FailureFilter{})
	require.NoError(t, err)
	require.EqualValues(t, 3, n, "nothing was removed; reading takes an empty filter for all")
	p, err := f.RequeueAll(t.Context(), resque.RequeueOptions{}, resque.FailureFilter{All: true}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, p.Done)
	for _, filter := range []resque.FailureFilter{{List: resque.FailedList, Text: "nothing has this"}, {All: true, Class: "B"}} {
		p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, filter, nil)
		require.NoError(t, err)
		require.Zero(t, p.Done, "All does not replace the other fields")
	}
	p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{All: true}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, p.Done)
}
