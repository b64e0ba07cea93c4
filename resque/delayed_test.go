package resque_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// item is a delayed job of class Mail.
func item(arg any) string { return fmt.Sprintf(`{"class":"Mail","args":[%v],"queue":"mail"}`, arg) }

func rails(class, arguments string) string {
	return `{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"` + class + `","arguments":` + arguments + `}],"queue":"mail"}`
}

// damagedItems are delayed jobs that cannot be performed.
func damagedItems() []string {
	return []string{
		"", "junk \xff", "[]", `{"class":"Mail"}`, `{"class":"Mail","queue":""}`, `{"class":"Mail","queue":7}`,
		`{"queue":"mail"}`, `{"class":"Mail","args":[1],"queue":"mail"`, `{"class":5,"queue":"mail"}`,
		strings.Repeat("[", 5000), `{"class":"` + strings.Repeat("x", 100_000),
	}
}

func (f delayFixture) jobs(t testing.TB, filter resque.DelayedFilter) (jobs []resque.DelayedJob) {
	t.Helper()
	for job, err := range f.Delayed().Jobs(t.Context(), filter) {
		require.NoError(t, err)
		jobs = append(jobs, job)
	}
	return jobs
}

func (f delayFixture) raws(t testing.TB, filter resque.DelayedFilter) []string {
	t.Helper()
	raws := []string{}
	for _, job := range f.jobs(t, filter) {
		raws = append(raws, string(job.Raw))
	}
	return raws
}

func TestDelayedJobsAreListedByTime(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		f.delay(t, 3600, item(3), item(4))
		f.delay(t, -60, item(1))
		f.delay(t, 60, item(2))
		f.do(t, "ZADD", "resque:delayed_queue_schedule", 5, 5, 6, "not a second", f.now.Unix()+90, f.now.Unix()+90)
		f.do(t, "HSET", "resque:delayed:last_enqueued_at", "nightly", "x")
		assert.Equal(t, []string{item(1), item(2), item(3), item(4)}, f.raws(t, resque.DelayedFilter{}))
		job := f.jobs(t, resque.DelayedFilter{})[3]
		assert.Equal(t, f.now.Add(time.Hour), job.Due)
		assert.Equal(t, "Mail", job.Class)
		assert.Equal(t, "mail", job.Queue)
		var n int
		require.NoError(t, job.Bind(&n))
		assert.Equal(t, 4, n)
		assert.Equal(t, `{"class":"Mail","args":[4]}`, string(job.Payload()))
		require.NoError(t, job.Damage)
		id, err := resque.ParseDelayedID(job.ID.String())
		require.NoError(t, err)
		assert.Equal(t, job.ID, id)

		seconds, total, err := f.Delayed().Seconds(t.Context(), 1, 10)
		require.NoError(t, err)
		assert.EqualValues(t, 6, total)
		assert.Equal(t, []resque.DelayedSecond{
			{Due: f.now.Add(-time.Minute), Jobs: 1},
			{Due: f.now.Add(time.Minute), Jobs: 1},
			{Due: f.now.Add(90 * time.Second)},
			{Due: f.now.Add(time.Hour), Jobs: 2},
		}, seconds)
		page, err := f.Delayed().Page(t.Context(), f.now.Add(time.Hour), 1, 10)
		require.NoError(t, err)
		assert.Equal(t, []resque.DelayedJob{job}, page)
	})
}

func TestDelayedFilter(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		unicode := "{\"class\":\"Caf\\u00e9\",\"args\":[1e20, \"<b>\"],\"queue\":\"mail\"}"
		hash := `{"class":"Mail","args":[{"a":1,"b":2}],"queue":"slow"}`
		mailer, wrapper := rails("MailJob", `[1,"x"]`), rails("OtherJob", `[]`)
		f.delay(t, 60, item(1), unicode, hash)
		f.delay(t, 120, item(1), mailer, wrapper, `{"class":"Mail","queue":"mail"}`, "junk Mail 1")
		later := f.now.Add(2 * time.Minute)
		for name, test := range map[string]struct {
			filter resque.DelayedFilter
			want   []string
		}{
			"class":                    {resque.DelayedFilter{Class: "Mail"}, []string{item(1), hash, item(1), `{"class":"Mail","queue":"mail"}`}},
			"a class with escapes":     {resque.DelayedFilter{Class: "Café"}, []string{unicode}},
			"a part of a class":        {resque.DelayedFilter{Class: "Mai"}, []string{}},
			"queue":                    {resque.DelayedFilter{Queue: "slow"}, []string{hash}},
			"args":                     {resque.DelayedFilter{Class: "Mail", Args: []any{1}}, []string{item(1), item(1)}},
			"no args":                  {resque.DelayedFilter{Args: []any{}}, []string{wrapper, `{"class":"Mail","queue":"mail"}`}},
			"args of another type":     {resque.DelayedFilter{Args: []any{"1"}}, []string{}},
			"args in another spelling": {resque.DelayedFilter{Args: []any{1e20, "<b>"}}, []string{unicode}},
			"an object in order":       {resque.DelayedFilter{Args: []any{map[string]int{"a": 1, "b": 2}}}, []string{hash}},
			"a Rails class":            {resque.DelayedFilter{Class: "MailJob"}, []string{mailer}},
			"a Rails class with args":  {resque.DelayedFilter{Class: "MailJob", Args: []any{1, "x"}}, []string{mailer}},
			"a wrapper":                {resque.DelayedFilter{Class: activejob.JobWrapper}, []string{mailer, wrapper}},
			"text":                     {resque.DelayedFilter{Text: "OTHERJOB"}, []string{wrapper}},
			"text of an escape":        {resque.DelayedFilter{Text: "fé"}, []string{unicode}},
			"text of damage":           {resque.DelayedFilter{Text: "junk"}, []string{"junk Mail 1"}},
			"the names of members":     {resque.DelayedFilter{Text: "args"}, []string{}},
			"since":                    {resque.DelayedFilter{Since: later, Class: "Mail"}, []string{item(1), `{"class":"Mail","queue":"mail"}`}},
			"since a fraction":         {resque.DelayedFilter{Since: later.Add(1)}, []string{}},
			"until":                    {resque.DelayedFilter{Until: later}, []string{item(1), unicode, hash}},
			"until a fraction":         {resque.DelayedFilter{Until: later.Add(1), Queue: "slow"}, []string{hash}},
			"since after until":        {resque.DelayedFilter{Since: later, Until: f.now}, []string{}},
		} {
			assert.Equal(t, test.want, f.raws(t, test.filter), name)
			n, err := f.Delayed().Count(t.Context(), test.filter)
			require.NoError(t, err)
			assert.EqualValues(t, len(test.want), n, name)
		}
		n, err := f.Delayed().Count(t.Context(), resque.DelayedFilter{})
		require.NoError(t, err)
		assert.EqualValues(t, 8, n)
		_, err = f.Delayed().Count(t.Context(), resque.DelayedFilter{Args: []any{make(chan int)}})
		require.ErrorContains(t, err, "argument 1")
	})
}

func TestEmptyDelayedFilterChangesNothing(t *testing.T) {
	t.Parallel()
	f := newDelay(t, redistest.StartEmbedded(t))
	f.delay(t, 60, item(1), item(2))
	for _, filter := range []resque.DelayedFilter{{}, {Class: ""}} {
		_, err := f.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{}, filter, nil)
		require.ErrorIs(t, err, resque.ErrNoFilter)
		_, err = f.Delayed().RunAll(t.Context(), filter, nil)
		require.ErrorIs(t, err, resque.ErrNoFilter)
	}
	assert.Len(t, f.at(t, 60), 2)
}

// A damaged job is listed, found and counted, and can be canceled and restored. It
// cannot be run, and does not keep others from it.
func TestDamagedDelayedJobs(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		items := append(damagedItems(), item(1))
		f.delay(t, 60, items...)
		before := golden.Dump(t, f.redis)
		jobs := f.jobs(t, resque.DelayedFilter{})
		require.Equal(t, items, f.raws(t, resque.DelayedFilter{}))
		for _, job := range jobs[:len(jobs)-1] {
			require.ErrorIs(t, job.Damage, resque.ErrDelayedDamaged)
			found, err := f.Delayed().Find(t.Context(), job.ID)
			require.NoError(t, err)
			assert.Equal(t, job, found)
			_, err = f.Delayed().Run(t.Context(), job.ID)
			require.ErrorIs(t, err, resque.ErrDelayedDamaged)
		}
		p, err := f.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{Keep: time.Hour}, resque.DelayedFilter{All: true}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, len(items), p.Done)
		require.Len(t, p.Trash, 1)
		space := golden.Dump(t, f.redis)
		maps.DeleteFunc(space, func(key string, _ golden.Value) bool { return strings.HasPrefix(key, "resque:goresque:trash") })
		assert.Empty(t, space)

		trash, err := f.Trash(t.Context())
		require.NoError(t, err)
		require.Len(t, trash, 1)
		assert.True(t, trash[0].IsDelayed)
		assert.EqualValues(t, len(items), trash[0].Entries)
		_, err = f.Failures().Restore(t.Context(), p.Trash[0])
		require.ErrorIs(t, err, resque.ErrNoTrash)
		n, err := f.Restore(t.Context(), p.Trash[0])
		require.NoError(t, err)
		assert.EqualValues(t, len(items), n)
		assert.Equal(t, before, golden.Dump(t, f.redis))
		_, err = f.Restore(t.Context(), p.Trash[0])
		require.ErrorIs(t, err, resque.ErrNoTrash)

		p, err = f.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 1, p.Done)
		assert.EqualValues(t, len(items)-1, p.Refused)
		assert.Equal(t, []string{`{"class":"Mail","args":[1]}`}, f.list(t, "queue:mail"))
	})
}

// The bytes of a job that is run are kept, without its queue.
func TestRunKeepsBytes(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		f.delay(t, 60, `{ "queue":"a b", "class":"A" ,"args":[1.50,{"queue":"x"}],"x":1}`, item(1))
		p, err := f.Delayed().Run(t.Context(), f.jobs(t, resque.DelayedFilter{})[0].ID)
		require.NoError(t, err)
		assert.Equal(t, resque.BulkProgress{Total: 1, Seen: 1, Done: 1}, p)
		assert.Equal(t, []string{`{ "class":"A" ,"args":[1.50,{"queue":"x"}],"x":1}`}, f.list(t, "queue:a b"))
		assert.Equal(t, []string{item(1)}, f.at(t, 60))
	})
}

// Jobs are identified by their bytes, wherever they are among those of their second. The
// set of a payload's lists is kept while a copy is left.
func TestRemoveDelayedByID(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		f.delay(t, 60, item(1), item(2), item(1), item(3), item(2))
		f.delay(t, 120, item(1))
		jobs := f.jobs(t, resque.DelayedFilter{})
		f.do(t, "LPOP", fmt.Sprint("resque:delayed:", f.now.Unix()+60))
		p, err := f.Delayed().Remove(t.Context(), resque.RemoveOptions{}, jobs[2].ID, jobs[4].ID, jobs[4].ID, jobs[5].ID)
		require.NoError(t, err)
		assert.EqualValues(t, 3, p.Done)
		assert.Equal(t, []string{item(2), item(3)}, f.at(t, 60))
		times, err := f.ScheduledAt(t.Context(), mail(2))
		require.NoError(t, err)
		assert.Equal(t, []time.Time{f.now.Add(time.Minute)}, times)
		times, err = f.ScheduledAt(t.Context(), mail(1))
		require.NoError(t, err)
		assert.Empty(t, times)
		_, total, err := f.Delayed().Seconds(t.Context(), 0, 0)
		require.NoError(t, err)
		assert.EqualValues(t, 1, total, "a second without jobs is removed")

		p, err = f.Delayed().Remove(t.Context(), resque.RemoveOptions{}, jobs[0].ID, jobs[3].ID)
		require.ErrorIs(t, err, resque.ErrDelayedChanged)
		require.ErrorContains(t, err, jobs[0].ID.String())
		assert.EqualValues(t, 1, p.Done)
		assert.EqualValues(t, 1, p.Gone)
		assert.Equal(t, []string{item(2)}, f.at(t, 60))
		_, err = f.Delayed().Find(t.Context(), jobs[3].ID)
		require.ErrorIs(t, err, resque.ErrDelayedChanged)
	})
}

func TestParseDelayedIDRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1", "1:2", "1:-2-0123456789abcdef", "x:1-0123456789abcdef", "1:2-0123456789abcdeg", "1-0123456789abcdef"} {
		_, err := resque.ParseDelayedID(text)
		require.ErrorIs(t, err, resque.ErrDelayedID, text)
	}
	id, err := resque.ParseDelayedID("-5:2-0123456789abcdef")
	require.NoError(t, err)
	assert.Equal(t, resque.DelayedID{Second: -5, Position: 2, Digest: "0123456789abcdef"}, id)
}

// Many jobs in one second and in many seconds are read in parts, and those that match are
// removed, whatever their places.
func TestRemoveAllDelayedThatMatch(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		var jobs []resque.Job
		for i := range 6000 {
			jobs = append(jobs, mail(i%3).At(f.now.Add(time.Hour)))
		}
		for i := range 2500 {
			jobs = append(jobs, mail(i%3).At(f.now.Add(time.Duration(i+1)*2*time.Hour)))
		}
		_, err := f.EnqueueAll(t.Context(), jobs)
		require.NoError(t, err)
		var last resque.BulkProgress
		calls := 0
		p, err := f.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{}, resque.DelayedFilter{Args: []any{1}}, func(p resque.BulkProgress) { last, calls = p, calls+1 })
		require.NoError(t, err)
		assert.EqualValues(t, 2833, p.Done)
		assert.EqualValues(t, 8500, p.Total)
		assert.Equal(t, p.Total, p.Seen)
		assert.Equal(t, p, last)
		assert.Greater(t, calls, 5)
		count := map[string]int{}
		for _, raw := range f.raws(t, resque.DelayedFilter{}) {
			count[raw]++
		}
		assert.Equal(t, map[string]int{item(0): 2834, item(2): 2833}, count)
		times, err := f.ScheduledAt(t.Context(), mail(1))
		require.NoError(t, err)
		assert.Empty(t, times)
		times, err = f.ScheduledAt(t.Context(), mail(0))
		require.NoError(t, err)
		assert.Len(t, times, 835)

		p, err = f.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, 5667, p.Done)
		space := golden.Dump(t, f.redis)
		assert.ElementsMatch(t, []string{"resque:queue:mail", "resque:queues"}, slices.Collect(maps.Keys(space)))
		assert.Len(t, f.list(t, "queue:mail"), 5667)
	})
}

// RemoveAll stops between two steps when its context ends.
func TestRemoveAllDelayedStops(t *testing.T) {
	t.Parallel()
	f := newDelay(t, redistest.Start(t))
	var jobs []resque.Job
	for i := range 500 {
		jobs = append(jobs, mail(i).At(f.now.Add(time.Hour)))
	}
	_, err := f.EnqueueAll(t.Context(), jobs)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	p, err := f.Delayed().RemoveAll(ctx, resque.RemoveOptions{}, resque.DelayedFilter{All: true}, func(resque.BulkProgress) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	assert.EqualValues(t, 500, p.Done+int64(len(f.at(t, 3600))))
	assert.Positive(t, p.Done)
	assert.NotEmpty(t, f.at(t, 3600))
}

// Processes that delay, cancel and run jobs at the same time lose and double none.
func TestDelayedActsAtTheSameTime(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		const jobs, actors = 600, 4
		var all sync.WaitGroup
		ran, removed := make([]int64, actors), make([]int64, actors)
		for a := range actors {
			all.Go(func() {
				random := rand.New(rand.NewPCG(uint64(a), 1))
				for i := range jobs / actors {
					_, err := f.EnqueueAt(t.Context(), f.now.Add(time.Duration(1+random.IntN(3))*time.Hour), mail(a*jobs+i))
					assert.NoError(t, err)
					if i%20 != 19 {
						continue
					}
					filter := resque.DelayedFilter{Text: strconv.Itoa(random.IntN(10))}
					p, err := f.Delayed().RunAll(t.Context(), filter, nil)
					assert.NoError(t, err)
					ran[a] += p.Done
					filter.Text = strconv.Itoa(random.IntN(10))
					p, err = f.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{}, filter, nil)
					assert.NoError(t, err)
					removed[a] += p.Done
				}
			})
		}
		all.Wait()
		var moved, gone int64
		for a := range actors {
			moved, gone = moved+ran[a], gone+removed[a]
		}
		assert.EqualValues(t, moved, len(f.list(t, "queue:mail")))
		left := f.raws(t, resque.DelayedFilter{})
		assert.EqualValues(t, jobs, moved+gone+int64(len(left)))
		for _, raw := range left {
			var n int
			_, err := fmt.Sscanf(raw, `{"class":"Mail","args":[%d]`, &n)
			require.NoError(t, err)
			times, err := f.ScheduledAt(t.Context(), mail(n))
			require.NoError(t, err)
			assert.Len(t, times, 1, raw)
		}
	})
}

// Large jobs make the parts small.
func TestLargeDelayedJobsAreListed(t *testing.T) {
	t.Parallel()
	f := newDelay(t, redistest.StartReal(t))
	large := `{"class":"Mail","args":["` + strings.Repeat("x", 3<<20) + `"],"queue":"mail"}`
	for i := range 20 {
		f.delay(t, int64(i), large)
	}
	n := 0
	for _, job := range f.jobs(t, resque.DelayedFilter{Class: "Mail"}) {
		assert.Len(t, job.Raw, len(large))
		n++
	}
	assert.Equal(t, 20, n)
	p, err := f.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{}, resque.DelayedFilter{Class: "Mail"}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 20, p.Done)
	assert.Empty(t, golden.Dump(t, f.redis))
}

// Jobs whose second is not known are found, and seconds without jobs are removed.
func TestRepairDelayed(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		f.delay(t, 60, item(1))
		whole := golden.Dump(t, f.redis)
		lost := fmt.Sprint("resque:delayed:", f.now.Unix()+120)
		f.do(t, "RPUSH", lost, item(2))
		f.do(t, "ZADD", "resque:delayed_queue_schedule", 5, 5, 6, 6)
		f.do(t, "RPUSH", "resque:delayed:x", "x")
		f.do(t, "HSET", "resque:delayed:last_enqueued_at", "nightly", "x")
		for _, dry := range []bool{true, false} {
			r, err := f.Delayed().Repair(t.Context(), dry)
			require.NoError(t, err)
			assert.Equal(t, resque.DelayedRepair{Added: 1, Removed: 2, Indexed: 1}, r)
		}
		assert.Contains(t, fmt.Sprint(golden.Dump(t, f.redis)), "timestamps:"+item(2), "it is found by its bytes")
		assert.Equal(t, []string{item(1), item(2)}, f.raws(t, resque.DelayedFilter{}))
		r, err := f.Delayed().Repair(t.Context(), false)
		require.NoError(t, err)
		assert.Zero(t, r)
		f.do(t, "DEL", lost, "resque:timestamps:"+item(2), "resque:delayed:x", "resque:delayed:last_enqueued_at")
		_, err = f.Delayed().Repair(t.Context(), false)
		require.NoError(t, err)
		assert.Equal(t, whole, golden.Dump(t, f.redis))
	})
}

// A key of another type is an error, and never the same as no jobs.
func TestDelayedReportsKeysOfAnotherType(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		f.do(t, "ZADD", "resque:delayed_queue_schedule", 5, 5)
		f.do(t, "SET", "resque:delayed:5", "x")
		check := func(t *testing.T) {
			t.Helper()
			_, err := f.Delayed().Count(t.Context(), resque.DelayedFilter{})
			require.ErrorContains(t, err, "WRONGTYPE")
			_, _, err = f.Delayed().Seconds(t.Context(), 0, 10)
			require.ErrorContains(t, err, "WRONGTYPE")
			_, err = f.Delayed().RemoveAll(t.Context(), resque.RemoveOptions{}, resque.DelayedFilter{All: true}, nil)
			require.ErrorContains(t, err, "WRONGTYPE")
			_, err = f.Delayed().Repair(t.Context(), false)
			require.ErrorContains(t, err, "WRONGTYPE")
		}
		f.do(t, "ZADD", "resque:delayed_queue_schedule", 6, 6)
		f.do(t, "RPUSH", "resque:delayed:6", item(1))
		_, err := f.Delayed().RunAll(t.Context(), resque.DelayedFilter{Class: "Nope"}, nil)
		require.ErrorContains(t, err, `"resque:delayed:5"`)
		n, err := f.Delayed().Count(t.Context(), resque.DelayedFilter{})
		require.ErrorContains(t, err, `"resque:delayed:5"`)
		assert.EqualValues(t, 1, n, "the other second")
		part, err := f.Delayed().Search(t.Context(), resque.DelayedFilter{}, resque.DelayedPlace{}, 10, time.Minute)
		require.ErrorContains(t, err, `"resque:delayed:5"`)
		assert.Len(t, part.Jobs, 1)
		check(t)
		assert.Empty(t, f.list(t, "delayed:6"), "removed by check")
		_, err = f.Delayed().Page(t.Context(), time.Unix(5, 0), 0, 1)
		require.ErrorContains(t, err, "WRONGTYPE")
		f.do(t, "SET", "resque:delayed_queue_schedule", "x")
		check(t)
	})
}
