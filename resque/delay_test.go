package resque_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// delayFixture is a client of a server with delayed jobs.
type delayFixture struct {
	*resque.Client
	redis redis.Conn
	now   time.Time // on Redis's clock, in whole seconds
}

func newDelay(t testing.TB, s *redistest.Server) delayFixture {
	t.Helper()
	conn := s.Conn(t)
	clock, err := redis.Int64s(conn.Do("TIME"))
	require.NoError(t, err)
	return delayFixture{s.Client(t), conn, time.Unix(clock[0], 0).UTC()}
}

func delays(t *testing.T, test func(t *testing.T, f delayFixture)) {
	t.Helper()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) { test(t, newDelay(t, s)) })
}

func (f delayFixture) list(t testing.TB, key string) []string {
	t.Helper()
	items, err := redis.Strings(f.redis.Do("LRANGE", "resque:"+key, 0, -1))
	require.NoError(t, err)
	return items
}

func (f delayFixture) do(t testing.TB, command string, args ...any) {
	t.Helper()
	_, err := f.redis.Do(command, args...)
	require.NoError(t, err)
}

// at returns the list of the jobs that are due so many seconds from now.
func (f delayFixture) at(t testing.TB, seconds int64) []string {
	t.Helper()
	return f.list(t, "delayed:"+strconv.FormatInt(f.now.Unix()+seconds, 10))
}

// delay delays items, which may be damaged, until so many seconds from now.
func (f delayFixture) delay(t testing.TB, seconds int64, items ...string) {
	t.Helper()
	second := f.now.Unix() + seconds
	for _, item := range items {
		f.do(t, "RPUSH", fmt.Sprint("resque:delayed:", second), item)
		f.do(t, "SADD", "resque:timestamps:"+item, fmt.Sprint("delayed:", second))
		f.do(t, "ZADD", "resque:delayed_queue_schedule", second, second)
	}
}

func TestEnqueueAtReturnsAReceipt(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		later := f.now.Add(time.Hour)
		receipt, err := f.EnqueueAt(t.Context(), later.Add(999*time.Millisecond), mail(1))
		require.NoError(t, err)
		assert.Equal(t, resque.Receipt{State: resque.Scheduled, Queue: "mail", Due: later}, receipt)
		assert.True(t, receipt.Enqueued())
		assert.Equal(t, []string{`{"class":"Mail","args":[1],"queue":"mail"}`}, f.at(t, 3600))

		for _, past := range []time.Time{f.now, {}, time.Unix(-1<<50, 0)} {
			receipt, err = f.EnqueueAt(t.Context(), past, mail(2))
			require.NoError(t, err)
			assert.Equal(t, resque.Receipt{State: resque.Queued, Queue: "mail"}, receipt)
		}
		assert.Len(t, f.list(t, "queue:mail"), 3)
	})
}

// Jobs are copied: a job can be delayed several times.
func TestAtAndInReplaceEachOther(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		job := mail(1)
		delayed := job.At(f.now.Add(time.Hour)).In(-time.Second)
		for _, j := range []resque.Job{job, delayed, job.In(time.Hour).At(f.now)} {
			receipt, err := f.Enqueue(t.Context(), j)
			require.NoError(t, err)
			assert.Equal(t, resque.Queued, receipt.State)
		}
		receipt, err := f.Enqueue(t.Context(), delayed.To("slow").In(time.Hour))
		require.NoError(t, err)
		assert.Equal(t, resque.Scheduled, receipt.State)
		assert.WithinRange(t, receipt.Due, f.now.Add(time.Hour), f.now.Add(time.Hour+time.Minute))
		assert.Equal(t, "slow", receipt.Queue)
	})
}

// Members other than Ruby's three come last.
func TestDelayedJobKeepsItsMembers(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		job := mail(1).WithMember("enqueued_at", "x")
		_, err := f.Enqueue(t.Context(), job.At(f.now.Add(time.Hour)))
		require.NoError(t, err)
		_, err = f.Enqueue(t.Context(), job.At(f.now))
		require.NoError(t, err)
		assert.Equal(t, []string{`{"class":"Mail","args":[1],"queue":"mail","enqueued_at":"x"}`}, f.at(t, 3600))
		assert.Equal(t, []string{`{"class":"Mail","args":[1],"enqueued_at":"x"}`}, f.list(t, "queue:mail"))
	})
}

func TestEnqueueAtRefuses(t *testing.T) {
	t.Parallel()
	f := newDelay(t, redistest.StartEmbedded(t))
	later := f.now.Add(time.Hour)
	for _, test := range []struct {
		job  resque.Job
		says string
	}{
		{resque.Job{Class: "Mail"}.At(later), "must be placed onto a queue"},
		{resque.Job{Class: "Mail"}.In(time.Hour), "must be placed onto a queue"},
		{resque.Job{Queue: "mail"}.At(later), "must be given a class"},
		{mail(make(chan int)).At(later), "argument 1"},
		{mail().To("\xff").At(later), "not valid UTF-8"},
		{mail().WithMember("queue", "other").At(later), `cannot be named "queue"`},
		{mail().At(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)), "after the year 9999"},
	} {
		receipt, err := f.Enqueue(t.Context(), test.job)
		require.ErrorContains(t, err, test.says)
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Equal(t, resque.Receipt{}, receipt)
		_, err = f.EnqueueAll(t.Context(), []resque.Job{test.job})
		require.ErrorContains(t, err, test.says)
	}
	_, err := f.EnqueueFront(t.Context(), mail().At(later))
	require.ErrorContains(t, err, "use Enqueue")
	assert.Empty(t, golden.Dump(t, f.redis))
}

func TestEnqueueAtWhoseReplyIsLost(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		f, proxy := newDelay(t, s), s.Proxy(t)
		client := clientOf(t, proxy.URL)
		later := f.now.Add(time.Hour)
		_, err := client.EnqueueAt(t.Context(), later, mail(0)) // loads the script
		require.NoError(t, err)
		proxy.Cut()
		receipt, err := client.EnqueueAt(t.Context(), later, mail(1))
		require.ErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Equal(t, resque.Receipt{}, receipt)
		assert.Len(t, f.at(t, 3600), 2)

		proxy.Cut()
		_, err = client.EnqueueIn(t.Context(), time.Hour, mail(2))
		require.ErrorContains(t, err, "reading Redis's clock")
		require.NotErrorIs(t, err, resque.ErrMaybeQueued, "the job was not sent")
	})
}

// Hooks run when the job is delayed. An inline client performs it at once.
func TestHooksRunWhenAJobIsDelayed(t *testing.T) {
	t.Parallel()
	f := newDelay(t, redistest.StartEmbedded(t))
	var calls []string
	hooked := resque.Define1[int]("Hooked", "hooked",
		resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) { calls = append(calls, "before"); return true, nil }),
		resque.AfterEnqueue(func(context.Context, resque.Job) error { calls = append(calls, "after"); return nil }))
	_, err := f.EnqueueIn(t.Context(), time.Hour, hooked.Job(1))
	require.NoError(t, err)
	assert.Equal(t, []string{"before", "after"}, calls)
	n, err := f.EnqueueDelayed(t.Context(), hooked.Job(1))
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	assert.Len(t, calls, 2, "not again")

	mux := resque.NewMux()
	mux.Handle(hooked.Handler(func(context.Context, int) error { calls = append(calls, "perform"); return nil }))
	inline, err := resque.New(nil, resque.Config{Inline: mux})
	require.NoError(t, err)
	receipt, err := inline.EnqueueAt(t.Context(), f.now.Add(time.Hour), hooked.Job(1))
	require.NoError(t, err)
	assert.Equal(t, resque.Receipt{State: resque.Performed, Queue: "hooked"}, receipt)
	n, err = inline.DelayOrEnqueueIn(t.Context(), time.Hour, hooked.Job(1))
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	assert.Equal(t, []string{"before", "perform", "after", "before", "perform", "after"}, calls[2:])
}

func TestEnqueueAllDelays(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		var jobs []resque.Job
		for i := range 1500 {
			jobs = append(jobs, mail(i).At(f.now.Add(time.Hour)))
		}
		jobs = append(jobs, mail(1500), mail(1501).At(f.now), mail(1502).In(2*time.Hour))
		receipts, err := f.EnqueueAll(t.Context(), jobs)
		require.NoError(t, err)
		assert.Equal(t, len(jobs), receipts.Enqueued())
		assert.Equal(t, resque.Receipt{State: resque.Scheduled, Queue: "mail", Due: f.now.Add(time.Hour)}, receipts[1499])
		assert.Equal(t, resque.Receipt{State: resque.Queued, Queue: "mail"}, receipts[1500])
		assert.Equal(t, resque.Receipt{State: resque.Queued, Queue: "mail"}, receipts[1501])
		assert.Equal(t, resque.Scheduled, receipts[1502].State)
		waiting := f.at(t, 3600)
		require.Len(t, waiting, 1500)
		for i, raw := range waiting {
			require.Equal(t, fmt.Sprintf(`{"class":"Mail","args":[%d],"queue":"mail"}`, i), raw)
		}
		assert.Equal(t, []int{1500, 1501}, numbers(t, f.Client, "mail"))
	})
}

func TestEnqueueAllDelaysAChunkInOneRoundTrip(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	f := newDelay(t, s)
	client, trips := counted(t, s)
	var jobs []resque.Job
	for i := range 1000 {
		jobs = append(jobs, mail(i).At(f.now.Add(time.Duration(i)*time.Hour)))
	}
	_, err := client.EnqueueAll(t.Context(), jobs) // loads the script
	require.NoError(t, err)
	trips.Store(0)
	_, err = client.EnqueueAll(t.Context(), jobs)
	require.NoError(t, err)
	assert.EqualValues(t, 1, trips.Load())
	trips.Store(0)
	_, err = client.EnqueueAll(t.Context(), []resque.Job{mail(1).In(time.Hour), mail(2).In(time.Hour), mail(3)})
	require.NoError(t, err)
	assert.EqualValues(t, 3, trips.Load(), "the clock, the pushes and the delays")
}

// Each receipt says what became of its job, whichever part of a chunk fails.
func TestEnqueueAllWithDelaysThatFail(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		f.do(t, "SET", "resque:queue:slow", "x")
		f.do(t, "SET", fmt.Sprint("resque:delayed:", f.now.Unix()+60), "x")
		jobs := []resque.Job{
			mail(0), mail(1).To("slow"), mail(2).At(f.now.Add(time.Minute)), mail(3).At(f.now.Add(time.Hour)),
			mail(4).To("slow").At(f.now), mail(5).At(f.now),
		}
		receipts, err := f.EnqueueAll(t.Context(), jobs)
		var failed *resque.BulkError
		require.ErrorAs(t, err, &failed)
		require.ErrorContains(t, err, "WRONGTYPE")
		require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		assert.Equal(t, []string{"slow"}, failed.Queues)
		assert.Equal(t, 3, failed.Queued)
		var states []resque.ReceiptState
		for _, r := range receipts {
			states = append(states, r.State)
		}
		assert.Equal(t, []resque.ReceiptState{resque.Queued, "", "", resque.Scheduled, "", resque.Queued}, states)

		receipts, err = f.EnqueueAll(t.Context(), []resque.Job{mail(6).At(f.now.Add(time.Hour)), mail(make(chan int))})
		require.ErrorAs(t, err, &failed)
		assert.Zero(t, failed.Queued)
		assert.Equal(t, resque.Receipts{{}, {}}, receipts)
	})
}

// Hooks in a chunk get the receipt or the error of their job.
func TestEnqueueAllDelaysInsideHooks(t *testing.T) {
	t.Parallel()
	f := newDelay(t, redistest.StartEmbedded(t))
	var states []resque.ReceiptState
	hooked := resque.Define1[int]("Hooked", "hooked", resque.EnqueueMiddleware(func(next resque.EnqueueFunc) resque.EnqueueFunc {
		return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
			receipt, err := next(ctx, job)
			states = append(states, receipt.State)
			return receipt, err
		}
	}))
	later := f.now.Add(time.Hour)
	_, err := f.EnqueueAll(t.Context(), []resque.Job{hooked.Job(1).At(later), hooked.Job(2), hooked.Job(3).At(f.now)})
	require.NoError(t, err)
	assert.Equal(t, []resque.ReceiptState{resque.Queued, resque.Queued, resque.Scheduled}, states, "from the inside out")

	states = nil
	f.do(t, "SET", "resque:delayed_queue_schedule", "x")
	_, err = f.EnqueueAll(t.Context(), []resque.Job{hooked.Job(4).At(later), hooked.Job(5)})
	require.Error(t, err)
	assert.Equal(t, []resque.ReceiptState{resque.Queued, ""}, states)
}

func TestDelayOrEnqueueReplacesAllCopies(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		for i := range 10 {
			n, err := f.DelayOrEnqueueAt(t.Context(), f.now.Add(time.Duration(i+1)*time.Hour), mail(1))
			require.NoError(t, err)
			assert.EqualValues(t, 1, n)
		}
		times, err := f.ScheduledAt(t.Context(), mail(1))
		require.NoError(t, err)
		assert.Equal(t, []time.Time{f.now.Add(10 * time.Hour)}, times)
		_, err = f.EnqueueAt(t.Context(), f.now.Add(time.Hour), mail(1))
		require.NoError(t, err)
		n, err := f.DelayOrEnqueueAt(t.Context(), f.now.Add(time.Hour), mail(1)) // where a copy is already
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)
		assert.Len(t, f.at(t, 3600), 2)
		n, err = f.DelayOrEnqueueAt(t.Context(), f.now, mail(1))
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)
		n, err = f.DelayOrEnqueueAt(t.Context(), f.now, mail(2))
		require.NoError(t, err)
		assert.EqualValues(t, 1, n, "one if there is none")
		assert.Equal(t, []int{1, 1, 2}, numbers(t, f.Client, "mail"))
		assert.Empty(t, f.at(t, 3600))
	})
}

// A key of another type loses no copy.
func TestDelayOrEnqueueChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		_, err := f.EnqueueAt(t.Context(), f.now.Add(time.Hour), mail(1))
		require.NoError(t, err)
		f.do(t, "SET", fmt.Sprint("resque:delayed:", f.now.Unix()+60), "x")
		f.do(t, "SET", "resque:queue:mail", "x")
		before := golden.Dump(t, f.redis)
		for _, at := range []time.Time{f.now.Add(time.Minute), f.now} {
			_, err = f.DelayOrEnqueueAt(t.Context(), at, mail(1))
			require.ErrorContains(t, err, "WRONGTYPE")
			require.NotErrorIs(t, err, resque.ErrMaybeQueued)
		}
		_, err = f.EnqueueDelayed(t.Context(), mail(1))
		require.ErrorContains(t, err, "WRONGTYPE")
		assert.Equal(t, before, golden.Dump(t, f.redis))
	})
}

// The set of a payload may name hundreds of lists, and other things than lists.
func TestRemoveDelayedFromManySeconds(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		const payload = `{"class":"Mail","args":[1],"queue":"mail"}`
		var jobs []resque.Job
		for i := range 450 {
			jobs = append(jobs, mail(1).At(f.now.Add(time.Duration(i+1)*time.Hour)))
		}
		_, err := f.EnqueueAll(t.Context(), jobs)
		require.NoError(t, err)
		f.do(t, "RPUSH", "resque:queue:mail", payload)
		f.do(t, "SADD", "resque:timestamps:"+payload, "queue:mail", "delayed:last_enqueued_at", "delayed:01", fmt.Sprint("delayed:", f.now.Unix()+7))
		times, err := f.ScheduledAt(t.Context(), mail(1))
		require.NoError(t, err)
		assert.Len(t, times, 451)
		n, err := f.RemoveDelayed(t.Context(), mail(1))
		require.NoError(t, err)
		assert.EqualValues(t, 450, n)
		assert.Equal(t, []string{payload}, f.list(t, "queue:mail"))
		count, err := f.Delayed().Count(t.Context(), resque.DelayedFilter{})
		require.NoError(t, err)
		assert.Zero(t, count)
		n, err = f.DelayOrEnqueueAt(t.Context(), f.now.Add(time.Hour), mail(1))
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	})
}

// However many processes replace a job at the same time, one copy is left.
func TestDelayOrEnqueueAtTheSameTime(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		var all sync.WaitGroup
		for p := range 8 {
			all.Go(func() {
				for i := range 20 {
					n, err := f.DelayOrEnqueueAt(t.Context(), f.now.Add(time.Duration(1+(p+i)%5)*time.Hour), mail(1))
					assert.NoError(t, err)
					assert.EqualValues(t, 1, n)
				}
			})
		}
		all.Wait()
		n, err := f.Delayed().Count(t.Context(), resque.DelayedFilter{})
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
	})
}

// A payload that is delayed as it is, is in its queue as it was.
func TestEnqueuePayloadInKeepsBytes(t *testing.T) {
	t.Parallel()
	delays(t, func(t *testing.T, f delayFixture) {
		payloads := []string{`{"class":"A"}`, ` { "class" : "A" , "args" : [ 1 ] , "x":2 } `, `{"args":[{"queue":1}],"class":"A","a":"args"}`}
		for _, payload := range payloads {
			receipt, err := f.EnqueuePayloadIn(t.Context(), time.Hour, "mail", []byte(payload))
			require.NoError(t, err)
			assert.Equal(t, resque.Scheduled, receipt.State)
		}
		for i, job := range f.jobs(t, resque.DelayedFilter{Queue: "mail"}) {
			require.NoError(t, job.Damage)
			assert.Equal(t, payloads[i], string(job.Payload()))
		}
		p, err := f.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
		require.NoError(t, err)
		assert.EqualValues(t, len(payloads), p.Done)
		receipt, err := f.EnqueuePayloadIn(t.Context(), 0, "mail", []byte(payloads[0]))
		require.NoError(t, err)
		assert.Equal(t, resque.Queued, receipt.State)
		assert.Equal(t, append(payloads, payloads[0]), f.list(t, "queue:mail"))
		for _, bad := range []string{"x", `{"args":[]}`, `{"class":"A","queue":"other"}`} {
			_, err := f.EnqueuePayloadIn(t.Context(), time.Hour, "mail", []byte(bad))
			require.Error(t, err, bad)
		}
		_, err = f.EnqueuePayloadIn(t.Context(), time.Hour, "", []byte(payloads[0]))
		require.ErrorIs(t, err, resque.ErrNoQueue)
	})
}
