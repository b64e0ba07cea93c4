package resque_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// failedFixture is a list of failures on a separate server.
type failedFixture struct {
	*resque.Failures
	redis redis.Conn
}

func newFailed(t *testing.T, s *redistest.Server, records ...string) failedFixture {
	t.Helper()
	f := failedFixture{s.Client(t).Failures(), s.Conn(t)}
	f.push(t, resque.FailedList, records...)
	return f
}

func (f failedFixture) push(t *testing.T, list string, records ...string) {
	t.Helper()
	if list != resque.FailedList {
		f.do(t, "SADD", "resque:failed_queues", list)
	}
	for _, r := range records {
		f.do(t, "RPUSH", "resque:"+list, r)
	}
}

func (f failedFixture) do(t *testing.T, command string, args ...any) any {
	t.Helper()
	reply, err := f.redis.Do(command, args...)
	require.NoError(t, err)
	return reply
}

func (f failedFixture) list(t *testing.T, key string) []string {
	t.Helper()
	items, err := redis.Strings(f.do(t, "LRANGE", "resque:"+key, 0, -1), nil)
	require.NoError(t, err)
	return items
}

// newest is the names of the failures that a filter passes.
func (f failedFixture) newest(t *testing.T, filter resque.FailureFilter) []string {
	t.Helper()
	var names []string
	for job, err := range f.Newest(t.Context(), filter) {
		require.NoError(t, err)
		names = append(names, job.Error)
	}
	return names
}

func (f failedFixture) id(t *testing.T, name string) resque.FailureID {
	t.Helper()
	for job, err := range f.Newest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		if job.Error == name {
			return job.ID
		}
	}
	require.Fail(t, "no such failure", name)
	return resque.FailureID{}
}

// failure is a record whose error is its name.
func failure(name, more string) string {
	return fmt.Sprintf(`{"failed_at":"2026/01/15 12:00:00 UTC","payload":{"class":"Exporter","args":[%q],"extra":1.50},`+
		`"exception":"IOError","error":%q,"backtrace":["a.rb:1"],"worker":"w","queue":"exports"%s}`, name, name, more)
}

func numbered(n int) []string {
	records := make([]string, n)
	for i := range records {
		records[i] = failure(fmt.Sprintf("no. %d", i), "")
	}
	return records
}

func TestFailuresInOrder(t *testing.T) {
	t.Parallel()
	const n = 2345 // several parts
	f := newFailed(t, redistest.Start(t), numbered(n)...)
	next := n
	for job, err := range f.Newest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		next--
		require.Equal(t, fmt.Sprintf("no. %d", next), job.Error)
		require.EqualValues(t, next, job.ID.Position)
	}
	assert.Zero(t, next)
	for job, err := range f.Oldest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("no. %d", next), job.Error)
		require.EqualValues(t, next, job.ID.Position)
		next++
	}
	assert.Equal(t, n, next)
	count, err := f.Count(t.Context(), resque.FailureFilter{Text: "NO. 12"})
	require.NoError(t, err)
	assert.EqualValues(t, 1+10+100, count)
}

// Another process requeues the records that a walk has read, which changes all of them.
func TestFailuresAreNotMissedWhileOthersChangeThem(t *testing.T) {
	t.Parallel()
	const n = 500
	f := newFailed(t, redistest.Start(t), numbered(n)...)
	seen := map[string]bool{}
	for job, err := range f.Oldest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		seen[job.Error] = true
		if len(seen) == 50 { // the first part
			for i := range 50 {
				f.do(t, "LSET", "resque:failed", i, failure(fmt.Sprintf("no. %d", i), `,"retried_at":"x"`))
			}
		}
	}
	assert.Len(t, seen, n)
}

func TestFailuresByPages(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t), numbered(10)...)
	page := func(from, below int64) string {
		return strings.ReplaceAll(strings.Join(f.newest(t, resque.FailureFilter{From: from, Below: below}), ""), "no. ", "")
	}
	assert.Equal(t, "9876543210", page(0, 0))
	assert.Equal(t, "3210", page(0, 4))
	assert.Equal(t, "987654", page(4, 0))
	assert.Equal(t, "54", page(4, 6))
	for _, bounds := range [][2]int64{{6, 4}, {10, 0}, {11, 20}} {
		assert.Empty(t, page(bounds[0], bounds[1]), bounds)
	}
	assert.Equal(t, "9", page(9, 100))
	n, err := f.Count(t.Context(), resque.FailureFilter{From: 3, Below: 7})
	require.NoError(t, err)
	assert.EqualValues(t, 4, n)
	for job, err := range f.Oldest(t.Context(), resque.FailureFilter{From: 7}) {
		require.NoError(t, err)
		assert.Equal(t, "no. 7", job.Error)
		break
	}
	p, err := f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{From: 2, Below: 4}, nil)
	require.NoError(t, err)
	assert.Equal(t, resque.BulkProgress{Total: 2, Seen: 2, Done: 2}, p)
	p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{From: 100}, nil)
	require.NoError(t, err)
	assert.Equal(t, resque.BulkProgress{}, p, "there are none so far on")
	assert.Equal(t, "98765410", page(0, 0))
}

func TestFailuresOfNone(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t))
	assert.Empty(t, f.newest(t, resque.FailureFilter{}))
	for _, filter := range []resque.FailureFilter{{All: true}, {Class: "A"}} {
		n, err := f.Count(t.Context(), filter)
		require.NoError(t, err)
		assert.Zero(t, n)
		p, err := f.RequeueAll(t.Context(), resque.RequeueOptions{}, filter, nil)
		require.NoError(t, err)
		assert.Zero(t, p)
		p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, filter, nil)
		require.NoError(t, err)
		assert.Zero(t, p)
	}
	p, err := f.Remove(t.Context(), resque.RemoveOptions{})
	require.NoError(t, err)
	assert.Zero(t, p)
}

// Another process removes failures in front of a walk.
func TestFailuresAreNotMissedWhileOthersRemoveSome(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func(f failedFixture) func(func(resque.FailedJob, error) bool){
		"newest first": func(f failedFixture) func(func(resque.FailedJob, error) bool) {
			return f.Newest(t.Context(), resque.FailureFilter{})
		},
		"oldest first": func(f failedFixture) func(func(resque.FailedJob, error) bool) {
			return f.Oldest(t.Context(), resque.FailureFilter{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 3000
			f := newFailed(t, redistest.Start(t), numbered(n)...)
			seen := map[string]int{}
			turn := 0
			for job, err := range order(f) {
				require.NoError(t, err)
				seen[job.Error]++
				if turn++; turn%100 == 0 && turn <= 1000 {
					f.do(t, "LTRIM", "resque:failed", 7, -1)
				}
			}
			twice := 0
			for i := 70; i < n; i++ {
				times := seen[fmt.Sprintf("no. %d", i)]
				require.Positive(t, times, "no. %d is missed", i)
				if times > 1 {
					twice++
				}
			}
			if name == "oldest first" {
				assert.Zero(t, twice, "it continues at its position")
			}
		})
	}
	t.Run("and all that it knew", func(t *testing.T) {
		t.Parallel()
		const n = 2000
		f := newFailed(t, redistest.Start(t), numbered(n)...)
		seen := map[string]bool{}
		for job, err := range f.Oldest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			seen[job.Error] = true
			if len(seen) == 50 { // the first part
				f.do(t, "LTRIM", "resque:failed", 60, -1)
			}
		}
		for i := 60; i < n; i++ {
			require.True(t, seen[fmt.Sprintf("no. %d", i)], "no. %d is missed", i)
		}
	})
}

func TestFailuresFilter(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t),
		`{"failed_at":"2026/01/15 12:00:00 UTC","payload":{"class":"Exporter","args":["Zürich"]},"exception":"IOError","error":"one","backtrace":["lib/\"a\".rb:1"],"worker":"web-1:1:exports","queue":"exports"}`,
		`{"failed_at":"2026-01-15T13:00:00Z","payload":{"class":"Import\u0065r","args":[{"id":7}]},"exception":"IO\u0045rror","error":"two","backtrace":null,"worker":"w","queue":"imports","retried_at":"2026/01/16 12:00:00 UTC"}`,
		`{"failed_at":"2026/01/15 14:00:00 UTC","payload":{"class":"A\"B","args":[]},"exception":"E<T>","error":"three","backtrace":[],"worker":"w","queue":"a/b","retried_at":null}`,
		`not JSON, but Zürich`,
	)
	at := func(hour, minute int) time.Time { return time.Date(2026, 1, 15, hour, minute, 0, 0, time.UTC) }
	for _, test := range []struct {
		name   string
		filter resque.FailureFilter
		want   string
	}{
		{"all", resque.FailureFilter{}, "? three two one"},
		{"the list", resque.FailureFilter{List: resque.FailedList}, "? three two one"},
		{"class", resque.FailureFilter{Class: "Exporter"}, "one"},
		{"class spelled with escapes", resque.FailureFilter{Class: "Importer"}, "two"},
		{"class to be escaped", resque.FailureFilter{Class: `A"B`}, "three"},
		{"part of a class", resque.FailureFilter{Class: "Export"}, ""},
		{"queue", resque.FailureFilter{Queue: "a/b"}, "three"},
		{"exception", resque.FailureFilter{Exception: "IOError"}, "two one"},
		{"exception and queue", resque.FailureFilter{Exception: "IOError", Queue: "exports"}, "one"},
		{"text in another case", resque.FailureFilter{Text: "ZÜRICH"}, "? one"},
		{"text in the backtrace, which is escaped there", resque.FailureFilter{Text: `"A".rb`}, "one"},
		{"text in an argument", resque.FailureFilter{Text: `"id":7`}, "two"},
		{"text in the class", resque.FailureFilter{Text: `importer`}, "two"},
		{"text in the queue", resque.FailureFilter{Text: `imports`}, "two"},
		{"text in the worker", resque.FailureFilter{Text: `web-1`}, "one"},
		{"names of members are not searched", resque.FailureFilter{Text: `payload`}, ""},
		{"names within the payload neither", resque.FailureFilter{Text: `args`}, ""},
		{"since", resque.FailureFilter{Since: at(13, 0)}, "three two"},
		{"until", resque.FailureFilter{Until: at(13, 0)}, "one"},
		{"between", resque.FailureFilter{Since: at(12, 30), Until: at(13, 30)}, "two"},
		{"retried", resque.FailureFilter{Requeued: resque.OnlyRequeued}, "two"},
		{"not retried", resque.FailureFilter{Requeued: resque.NotRequeued}, "? three one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			names := f.newest(t, test.filter)
			for i, name := range names {
				if name == "" {
					names[i] = "?"
				}
			}
			assert.Equal(t, test.want, strings.Join(names, " "))
		})
	}
}

func TestFailuresOfSeveralLists(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	f := newFailed(t, s)
	record := func(name, at string) string {
		return strings.Replace(failure(name, ""), "2026/01/15 12:00:00", "2026/01/15 "+at, 1)
	}
	f.push(t, resque.FailedList, record("b", "12:00:02"), "damaged", record("e", "12:00:05"))
	f.push(t, resque.FailedListOf("mail"), record("a", "12:00:01"), record("d", "12:00:04"))
	f.push(t, resque.FailedListOf("exports"), record("c", "12:00:03"))

	lists, err := f.Lists(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"failed", "exports_failed", "mail_failed"}, lists)
	n, err := f.Count(t.Context(), resque.FailureFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 6, n)
	assert.Equal(t, []string{"e", "", "d", "c", "b", "a"}, f.newest(t, resque.FailureFilter{}))
	assert.Equal(t, []string{"d", "a"}, f.newest(t, resque.FailureFilter{List: "mail_failed"}))
	assert.Equal(t, "mail_failed:1-", f.id(t, "d").String()[:len("mail_failed:1-")])
	var oldest []string
	for job, err := range f.Oldest(t.Context(), resque.FailureFilter{Exception: "IOError"}) {
		require.NoError(t, err)
		if oldest = append(oldest, job.Error); len(oldest) == 4 {
			break // the rest is not read
		}
	}
	assert.Equal(t, []string{"a", "b", "c", "d"}, oldest)

	p, err := f.Requeue(t.Context(), resque.RequeueOptions{}, f.id(t, "a"), f.id(t, "b"), f.id(t, "c"))
	require.NoError(t, err)
	assert.EqualValues(t, 3, p.Done)
	p, err = f.RemoveAll(t.Context(), resque.RemoveOptions{Keep: time.Hour}, resque.FailureFilter{Requeued: resque.OnlyRequeued}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 3, p.Done)
	assert.Len(t, p.Trash, 3)
	assert.Equal(t, []string{"e", "", "d"}, f.newest(t, resque.FailureFilter{}))
	for _, trash := range p.Trash {
		n, err := f.Restore(t.Context(), trash)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	}
	assert.Equal(t, []string{"e", "", "d", "c", "b", "a"}, f.newest(t, resque.FailureFilter{}))
}

// A key that is not a list of failures is never changed, whatever list an id names.
func TestFailuresOfAKeyThatIsNoList(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t))
	job := failure("a job", "")
	f.do(t, "RPUSH", "resque:queue:exports_failed", job)
	id := resque.FailureID{List: "queue:exports_failed", Digest: strings.Repeat("0", 16)}
	filter := resque.FailureFilter{List: id.List}
	_, err := f.Find(t.Context(), id)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
	_, err = f.Remove(t.Context(), resque.RemoveOptions{}, id)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
	_, err = f.Requeue(t.Context(), resque.RequeueOptions{}, id)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
	_, err = f.Count(t.Context(), filter)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
	_, err = f.Groups(t.Context(), filter)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
	_, err = f.RemoveAll(t.Context(), resque.RemoveOptions{}, filter, nil)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
	_, err = f.RequeueAll(t.Context(), resque.RequeueOptions{}, filter, nil)
	require.ErrorIs(t, err, resque.ErrNoFailureList)
	for _, err := range f.Newest(t.Context(), filter) {
		require.ErrorIs(t, err, resque.ErrNoFailureList)
	}
	assert.Equal(t, []string{job}, f.list(t, "queue:exports_failed"))
}

// Anybody can name any key as a list of failures.
func TestFailuresLeaveQueuesAlone(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t), failure("one", ""))
	f.push(t, "exports_failed", failure("two", ""))
	f.do(t, "SADD", "resque:failed_queues", "queue:exports", "queues", "failed")
	f.do(t, "RPUSH", "resque:queue:exports", `{"class":"Exporter","args":[1]}`)
	f.do(t, "SADD", "resque:queues", "exports")
	lists, err := f.Lists(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"failed", "exports_failed"}, lists)
	p, err := f.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.FailureFilter{All: true}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 2, p.Done)
	assert.Len(t, f.list(t, "queue:exports"), 1)
	_, err = f.Count(t.Context(), resque.FailureFilter{List: "queue:exports"})
	require.ErrorIs(t, err, resque.ErrNoFailureList)
}

func TestFailureGroups(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t), failure("row 17 of 30", ""), failure("row 4 of 1", `,"retried_at":"x"`), "junk",
		strings.Replace(strings.Replace(failure("row 1 of 1", ""), "12:00:00", "13:00:00", 1), "IOError", "Timeout::Error", 1),
		strings.Replace(failure("row 23 of 30", ""), "12:00:00", "11:00:00", 1), failure("row of none", ""))
	groups, err := f.Groups(t.Context(), resque.FailureFilter{})
	require.NoError(t, err)
	type group struct {
		class, exception, message string
		count, retried            int64
		oldest, newest            time.Time
	}
	at := func(hour int) time.Time { return time.Date(2026, 1, 15, hour, 0, 0, 0, time.UTC) }
	var told []group
	for _, g := range groups {
		told = append(told, group{g.Class, g.Exception, g.Message, g.Count, g.Requeued, g.Oldest, g.Newest})
	}
	assert.Equal(t, []group{
		{"Exporter", "IOError", "row N of N", 3, 1, at(11), at(12)},
		{count: 1},
		{"Exporter", "IOError", "row of none", 1, 0, at(12), at(12)},
		{"Exporter", "Timeout::Error", "row N of N", 1, 0, at(13), at(13)},
	}, told)
	assert.Equal(t, []int64{0, 1, 2, 0}, groups[0].Spread(at(10), at(13), 4))
	assert.Equal(t, []int64{1, 2}, groups[0].Spread(at(10), at(13), 2))
	assert.Equal(t, []int64{0}, groups[0].Spread(at(13), at(15), 1), "before that")
	assert.Equal(t, []int64{0}, groups[0].Spread(at(9), at(10), 1), "after that")
	var week [7][24]int64
	week[time.Thursday][11], week[time.Thursday][12] = 1, 2
	assert.Equal(t, week, groups[0].Week())
	assert.Zero(t, groups[1].Week(), "it has no time")
}

// Messages that are all different do not make a group each without end.
func TestFailureGroupsAreNotTooMany(t *testing.T) {
	t.Parallel()
	var records []string
	for i := range 1200 {
		records = append(records, failure("no "+strings.Repeat("a", i%40)+strings.Repeat("b", i/40), ""))
	}
	records = slices.Insert(records, 0, records[1199]) // the oldest is like the newest, which has a group
	f := newFailed(t, redistest.Start(t), records...)
	groups, err := f.Groups(t.Context(), resque.FailureFilter{})
	require.NoError(t, err)
	assert.Len(t, groups, 1001)
	assert.EqualValues(t, 200, groups[0].Count)
	assert.Empty(t, groups[0].Message)
	assert.EqualValues(t, 2, groups[1].Count, "groups that there are go on to grow")
}

// Rails puts all its jobs into one class. They are found, and counted, by their own.
func TestFailuresOfRails(t *testing.T) {
	t.Parallel()
	rails := func(name, arg string) string {
		return strings.Replace(failure(name, ""), `{"class":"Exporter","args":["`+name+`"]`,
			`{"class":"`+activejob.JobWrapper+`","args":[`+arg+`]`, 1)
	}
	f := newFailed(t, redistest.Start(t), failure("a", ""),
		rails("b", `{"job_class":"ExportJob","arguments":[1]}`), rails("c", `{"job_class":"Export\u004aob"}`),
		rails("d", `{"job_class":7}`), rails("e", `["job_class"]`), rails("f", `{"job_class":"ExportJob"},2`))
	for class, want := range map[string][]string{
		"ExportJob": {"c", "b"}, activejob.JobWrapper: {"f", "e", "d", "c", "b"}, "Exporter": {"a"}, "Export": nil,
	} {
		assert.Equal(t, want, f.newest(t, resque.FailureFilter{Class: class}), class)
	}
	groups, err := f.Groups(t.Context(), resque.FailureFilter{})
	require.NoError(t, err)
	counts := map[string]int64{} // their errors differ, so that there are more groups
	for _, g := range groups {
		counts[g.Class] += g.Count
	}
	assert.Equal(t, map[string]int64{activejob.JobWrapper: 3, "ExportJob": 2, "Exporter": 1}, counts)
	for job, err := range f.Newest(t.Context(), resque.FailureFilter{Class: "ExportJob"}) {
		require.NoError(t, err)
		assert.Equal(t, activejob.JobWrapper, job.Class, "it is what the payload says")
	}
}

func TestFailuresEndWithTheContext(t *testing.T) {
	t.Parallel()
	f := newFailed(t, redistest.Start(t), numbered(300)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range f.Newest(ctx, resque.FailureFilter{}) {
		if last = err; err == nil {
			n++
			cancel()
		}
	}
	require.ErrorIs(t, last, context.Canceled)
	assert.Equal(t, 50, n, "what was read already still comes")
	for _, err := range f.Newest(ctx, resque.FailureFilter{Class: "A"}) {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := f.Groups(ctx, resque.FailureFilter{List: resque.FailedList})
	require.ErrorIs(t, err, context.Canceled)
}
