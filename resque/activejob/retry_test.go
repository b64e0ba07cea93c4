package activejob_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

// rubyError is an error with the name of a Ruby class.
type rubyError string

func (e rubyError) Error() string         { return "bad" }
func (e rubyError) ExceptionName() string { return string(e) }

// performed is the Redis in which a job was retried.
type performed struct {
	client *resque.Client
	redis  redis.Conn
}

func (p performed) list(t *testing.T, key string) []string {
	t.Helper()
	items, err := redis.Strings(p.redis.Do("LRANGE", "resque:"+key, 0, -1))
	require.NoError(t, err)
	return items
}

// failures returns the records of failures.
func (p performed) failures(t *testing.T) (records []failureRecord) {
	t.Helper()
	for _, text := range p.list(t, "failed") {
		var f failureRecord
		require.NoError(t, json.Unmarshal([]byte(text), &f))
		records = append(records, f)
	}
	return records
}

type failureRecord struct{ Exception, Error string }

// perform performs a payload in a worker, and returns the attempts that wait, in queues or
// delayed, as they are in their queues, and the failures.
func perform(t *testing.T, payload string, fail error, settings ...resque.Setting) (waiting []string, failures []failureRecord) {
	t.Helper()
	p := performIn(t, payload, fail, settings...)
	_, err := p.client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
	require.NoError(t, err)
	return append(p.list(t, "queue:retry"), p.list(t, "queue:slow")...), p.failures(t)
}

func performIn(t *testing.T, payload string, fail error, settings ...resque.Setting) performed {
	t.Helper()
	server := redistest.StartEmbedded(t)
	p := performed{server.Client(t), server.Conn(t)}
	mux := resque.NewMux()
	mux.Handle(activejob.Route("RetryJob", func(context.Context, *resque.Payload) error { return fail }, settings...))
	_, err := p.client.EnqueuePayload(t.Context(), "popped", []byte(payload))
	require.NoError(t, err)
	w, err := worker.New(p.client, mux, worker.Config{Queues: []string{"popped"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.WorkOff(t.Context()))
	processed, err := redis.Int(p.redis.Do("GET", "resque:stat:processed"))
	require.NoError(t, err)
	assert.Equal(t, 1, processed)
	failed, err := redis.Int(p.redis.Do("GET", "resque:stat:failed"))
	if !errors.Is(err, redis.ErrNil) {
		require.NoError(t, err)
	}
	assert.Len(t, p.list(t, "failed"), failed, "as Rails counts")
	return p
}

func recording(t *testing.T, name string) string {
	t.Helper()
	for _, r := range golden.Family(t, "activejob-8.1.3.1") {
		if r.Name == name {
			return r.Popped(t)
		}
	}
	require.Fail(t, "no such recording", name)
	return ""
}

func TestRetryEnqueuesAgain(t *testing.T) {
	t.Parallel()
	waiting, failures := perform(t, recording(t, "retry_key"), fmt.Errorf("x: %w", rubyError("IndexError")),
		activejob.Retry{Exceptions: []string{"KeyError", "IndexError"}})
	assert.Empty(t, failures)
	require.Len(t, waiting, 1)
	assert.Contains(t, waiting[0], `"arguments":["key",1],"executions":1,"exception_executions":{"[KeyError, IndexError]":1},"locale":"en"`)

	waiting, failures = perform(t, recording(t, "retry_io"), rubyError("IOError"), activejob.Retry{Queue: "slow", Priority: pointerTo(9)})
	assert.Empty(t, failures)
	require.Len(t, waiting, 1)
	assert.Contains(t, waiting[0], `"queue_name":"slow","priority":9,`)
	assert.Contains(t, waiting[0], `"exception_executions":{"[StandardError]":1}`)

	const other = `{"class":"` + activejob.JobWrapper + `","queue":"x","args":[{"job_class":"RetryJob","queue_name":"retry"}]}`
	waiting, failures = perform(t, other, rubyError("IOError"), activejob.Retry{})
	assert.Empty(t, failures)
	assert.Equal(t, []string{`{"class":"` + activejob.JobWrapper + `","queue":"x","args":[{"job_class":"RetryJob","queue_name":"retry","executions":1}]}`}, waiting)
}

func TestRetryEndsAndRefuses(t *testing.T) {
	t.Parallel()
	exhausted := recording(t, "retry_arg_exhausted")
	for name, c := range map[string]struct {
		payload string
		retry   activejob.Retry
		fail    error
	}{
		"the attempts are used up":  {exhausted, activejob.Retry{Exceptions: []string{"ArgumentError"}, Attempts: 3}, rubyError("ArgumentError")},
		"another error":             {exhausted, activejob.Retry{Exceptions: []string{"KeyError"}}, rubyError("ArgumentError")},
		"an error without a class":  {exhausted, activejob.Retry{Exceptions: []string{"KeyError"}}, errors.New("bad")},
		"Match says no":             {exhausted, activejob.Retry{Match: func(error) bool { return false }}, errors.New("bad")},
		"the handler says no":       {exhausted, activejob.Retry{}, resque.Discard(rubyError("ArgumentError"))},
		"RetryIn does not fit":      {exhausted, activejob.Retry{Exceptions: []string{"KeyError"}}, resque.RetryIn(time.Second, rubyError("ArgumentError"))},
		"the worker ended it":       {exhausted, activejob.Retry{}, resque.ErrTerm},
		"a job of Resque":           {`{"class":"RetryJob","args":[]}`, activejob.Retry{}, errors.New("bad")},
		"executions without counts": {`{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"RetryJob","executions":4}]}`, activejob.Retry{}, errors.New("bad")},
		"a panic in Match":          {exhausted, activejob.Retry{Match: func(error) bool { panic("Match") }}, errors.New("bad")},
		"a panic in Wait":           {exhausted, activejob.Retry{Wait: func(int) time.Duration { panic("Wait") }}, errors.New("bad")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting, failures := perform(t, c.payload, c.fail, c.retry)
			assert.Empty(t, waiting)
			require.Len(t, failures, 1)
			assert.Equal(t, failureRecord{resque.ExceptionName(c.fail), c.fail.Error()}, failures[0])
		})
	}
}

// The last setting that an error fits decides, as in Rails: the error first, then those
// that it wraps.
func TestTheLastRuleThatFitsDecides(t *testing.T) {
	t.Parallel()
	payload := recording(t, "retry_arg")
	var discarded []string
	settings := []resque.Setting{
		activejob.Retry{Wait: activejob.NoWait},
		activejob.Retry{Exceptions: []string{"KeyError"}, Queue: "slow"},
		activejob.Discard{Exceptions: []string{"Gone"}, OnDiscard: func(ctx context.Context, job *resque.Payload, err error) {
			data, ok := activejob.FromContext(ctx)
			assert.True(t, ok)
			discarded = append(discarded, data.Class+" "+job.Class+" "+err.Error())
		}},
	}
	for _, c := range []struct {
		fail error
		want string // in the next attempt; "" if there is none
	}{
		{errors.New("x"), `"exception_executions":{"[StandardError]":1}`},
		{rubyError("KeyError"), `"exception_executions":{"[KeyError]":1}`},
		{fmt.Errorf("y: %w", rubyError("KeyError")), `"exception_executions":{"[KeyError]":1}`},
		{errors.Join(rubyError("Other"), rubyError("KeyError")), `"exception_executions":{"[StandardError]":1}`},
		{resque.RetryIn(time.Hour, rubyError("KeyError")), `"exception_executions":{"[KeyError]":1}`},
		{rubyError("Gone"), ""},
	} {
		waiting, failures := perform(t, payload, c.fail, settings...)
		assert.Empty(t, failures)
		if c.want == "" {
			assert.Empty(t, waiting)
			continue
		}
		require.Len(t, waiting, 1)
		assert.Contains(t, waiting[0], c.want)
	}
	assert.Equal(t, []string{"RetryJob RetryJob bad"}, discarded)

	waiting, failures := perform(t, payload, rubyError("Gone"), settings[2])
	assert.Empty(t, waiting)
	assert.Empty(t, failures)
	_, failures = perform(t, payload, rubyError("Other"), settings[2])
	assert.Len(t, failures, 1)
	_, failures = perform(t, payload, resque.Discard(rubyError("Gone")), settings...)
	assert.Len(t, failures, 1, "the handler wants a failure")
}

// A job that is retried or dropped has not failed, as in Rails: failure hooks are called
// only when the attempts are used up.
func TestHooksOfRetries(t *testing.T) {
	t.Parallel()
	var told []string
	retries := activejob.Retry{
		Exceptions: []string{"ArgumentError"}, Attempts: 3, Wait: activejob.NoWait,
		OnRetry: func(_ context.Context, job *resque.Payload, a retry.State) {
			told = append(told, fmt.Sprintf("retried %s: %d of %d, %v, at once: %t", job.Class, a.Attempt, a.Limit, a.Err, a.Due.IsZero()))
		},
		OnGiveUp: func(_ context.Context, job *resque.Payload, a retry.State) {
			told = append(told, fmt.Sprintf("gave up %s: %d of %d, %v", job.Class, a.Attempt, a.Limit, a.Err))
		},
	}
	failed := resque.OnFailure(func(context.Context, *resque.Payload, error) error {
		told = append(told, "failed")
		return nil
	})
	for _, name := range []string{"retry_arg", "retry_arg_second", "retry_arg_exhausted"} {
		perform(t, recording(t, name), rubyError("ArgumentError"), retries, failed)
	}
	assert.Equal(t, []string{
		"retried RetryJob: 1 of 3, bad, at once: true", "retried RetryJob: 2 of 3, bad, at once: true",
		"failed", "gave up RetryJob: 3 of 3, bad",
	}, told)
}

// Counters that Rails would not write must not make a job run for ever.
func TestRetryEndsWhateverTheCountersAre(t *testing.T) {
	t.Parallel()
	counters := []string{
		`"executions":0,"exception_executions":[]`,
		`"executions":0,"exception_executions":"x"`,
		`"executions":0,"exception_executions":0`,
		`"executions":0,"exception_executions":false`,
		`"executions":0,"exception_executions":null`,
		`"executions":0,"exception_executions":{"[StandardError]":"x"}`,
		`"executions":0,"exception_executions":{"[StandardError]":-9000000000000000000}`,
		`"executions":0,"exception_executions":{"[StandardError]":9223372036854775807}`,
		`"executions":0,"exception_executions":{"other":"x"}`,
		`"executions":0,"exception_executions":{"[StandardError]":0,"other":[]}`,
		`"executions":"x"`,
		`"executions":[],"exception_executions":[]`,
		`"executions":-9000000000000000000`,
		`"executions":9223372036854775807,"exception_executions":1`,
		`"executions":1e400`,
		`"exception_executions":{}`,
	}
	for _, exceptions := range [][]string{nil, {"StandardError", "\xff"}} {
		for _, c := range counters {
			payload := `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"RetryJob","queue_name":"retry","arguments":[],` + c + `}]}`
			fail := errors.New("x")
			attempts := 0
			for ; attempts <= 5; attempts++ {
				waiting, failures := perform(t, payload, fail, activejob.Retry{Exceptions: exceptions})
				if len(failures) > 0 {
					assert.Empty(t, waiting, c)
					break
				}
				require.Len(t, waiting, 1, c)
				payload = waiting[0]
			}
			assert.LessOrEqual(t, attempts, 4, "after five attempts the job fails: %s", c)
		}
	}
}

// The attempt is a delayed job, byte for byte as Rails writes it, and in its queue when it
// is due.
func TestRetryWaits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		recording string
		retry     activejob.Retry
		wait      time.Duration
	}{
		{"retry_arg", activejob.Retry{}, 3 * time.Second},
		{"retry_arg_second", activejob.Retry{Exceptions: []string{"ArgumentError"}, Wait: activejob.PolynomiallyLonger}, 18 * time.Second},
		{"retry_io", activejob.Retry{Queue: "slow", Wait: func(int) time.Duration { return time.Hour }}, time.Hour},
		{"retry_io", activejob.Retry{Wait: activejob.NoWait}, 0},
	} {
		began := time.Now().Truncate(time.Second)
		p := performIn(t, recording(t, test.recording), rubyError("ArgumentError"), test.retry)
		found := 0
		for job, err := range p.client.Delayed().Jobs(t.Context(), resque.DelayedFilter{}) {
			require.NoError(t, err)
			require.NoError(t, job.Damage)
			found++
			assert.WithinRange(t, job.Due, began.Add(test.wait), time.Now().Add(test.wait), test.recording)
			assert.Regexp(t, `^\{"class":"[^"]+JobWrapper","args":\[.*\],"queue":"`+job.Queue+`"\}$`, string(job.Raw))
			parsed, err := resque.ParsePayload(job.Queue, job.Payload())
			require.NoError(t, err)
			data, ok := activejob.DataOf(parsed)
			require.True(t, ok)
			assert.WithinRange(t, data.DueAt, began.Add(test.wait), time.Now().Add(test.wait))
			assert.Equal(t, cmp.Or(test.retry.Queue, "retry"), data.Queue)
			assert.Equal(t, data.Queue, job.Queue)
		}
		want := 1
		if test.wait == 0 {
			want = 0
			assert.Len(t, p.list(t, "queue:retry"), 1)
		}
		assert.Equal(t, want, found, test.recording)
	}
}

// A job that is delayed from Go has the bytes that Rails writes for set(wait: …).
func TestDelayedJobsAreThoseOfRails(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	client, conn := server.Client(t), server.Conn(t)
	n := 0
	for _, r := range golden.Family(t, "activejob-8.1.3.1") {
		pushed := r.Pushed()
		if len(pushed) != 1 || !strings.HasPrefix(r.Name, "wait") && r.Name != "set_all" {
			continue
		}
		n++
		parsed, err := resque.ParsePayload("", []byte(pushed[0]))
		require.NoError(t, err)
		data, ok := activejob.DataOf(parsed)
		require.True(t, ok)
		years := 100 // the recording is in the past
		if strings.Contains(r.Commands[len(r.Commands)-1][1], "queue:") {
			years = 0 // as its time was when it was recorded
		}
		want := strings.ReplaceAll(pushed[0], `_at":"20`, fmt.Sprintf(`_at":"%d`, 20+years/100))
		job := activejob.Job{
			Class: data.Class, Queue: data.Queue, Args: []any{1}, ID: data.ID, Priority: data.Priority,
			Locale: data.Locale, Timezone: data.Timezone, EnqueuedAt: data.EnqueuedAt.AddDate(years, 0, 0),
		}
		due := data.DueAt.AddDate(years, 0, 0)
		later := job
		later.ScheduledAt = due
		for _, j := range []resque.Job{job.Resque().At(due), later.Resque(), later.Resque().At(time.Now()).At(due)} {
			_, err := conn.Do("FLUSHALL")
			require.NoError(t, err)
			_, err = client.Enqueue(t.Context(), j)
			require.NoError(t, err)
			list := "resque:queue:" + data.Queue
			if years > 0 {
				list = fmt.Sprintf("resque:delayed:%d", due.Unix())
			}
			got, err := redis.Strings(conn.Do("LRANGE", list, 0, -1))
			require.NoError(t, err)
			assert.Equal(t, []string{want}, got, r.Name)
		}
	}
	assert.Equal(t, 8, n)
}

// A job that took too long is retried. Without a retry, the failure names its class.
func TestTimeoutsAreRetried(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	client := server.Client(t)
	mux := resque.NewMux()
	mux.Handle(activejob.Route("RetryJob", func(ctx context.Context, _ *resque.Payload) error {
		<-ctx.Done()
		return ctx.Err()
	}, resque.Timeout(time.Millisecond), activejob.Retry{Exceptions: []string{"Timeout::Error"}}))
	_, err := client.EnqueuePayload(t.Context(), "popped", []byte(recording(t, "retry_arg")))
	require.NoError(t, err)
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"popped"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.WorkOff(t.Context()))
	n, err := client.Delayed().Count(t.Context(), resque.DelayedFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

// A job whose worker died has failed an attempt, which StandardError includes.
func TestCrashesAreAttempts(t *testing.T) {
	t.Parallel()
	server := redistest.StartEmbedded(t)
	client, conn := server.Client(t), server.Conn(t)
	payload := recording(t, "retry_arg")
	for _, c := range []struct {
		settings []resque.Setting
		retried  bool
		failed   int
	}{
		{[]resque.Setting{activejob.Retry{Wait: activejob.NoWait}}, true, 0},
		{[]resque.Setting{activejob.Retry{Exceptions: []string{"KeyError"}}}, false, 1},
		{[]resque.Setting{activejob.Discard{Exceptions: []string{"Resque::PruneDeadWorkerDirtyExit"}}}, false, 0},
	} {
		_, err := conn.Do("FLUSHALL")
		require.NoError(t, err)
		hooks := 0
		mux := resque.NewMux()
		mux.Handle(activejob.Route("RetryJob", func(context.Context, *resque.Payload) error { return nil },
			append(c.settings, resque.OnFailure(func(context.Context, *resque.Payload, error) error { hooks++; return nil }))...))
		const id = "gone~go:1:retry"
		for _, args := range [][]any{
			{"SADD", "resque:workers", id},
			{"SET", "resque:worker:" + id, `{"queue":"retry","run_at":"2026-01-15T12:34:56Z","payload":` + payload + `}`},
		} {
			_, err := conn.Do(args[0].(string), args[1:]...)
			require.NoError(t, err)
		}
		pruned, err := client.Prune(t.Context(), id, resque.PruneOptions{Handler: mux})
		require.NoError(t, err)
		assert.Equal(t, c.retried, pruned.Retried)
		p := performed{client, conn}
		assert.Len(t, p.failures(t), c.failed)
		assert.Equal(t, c.failed, hooks)
		waiting := p.list(t, "queue:retry")
		if !c.retried {
			assert.Empty(t, waiting)
			continue
		}
		require.Len(t, waiting, 1)
		assert.Contains(t, waiting[0], `"executions":1,"exception_executions":{"[StandardError]":1}`)
	}
}

func TestSettingsThatCannotWorkPanic(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string][]resque.Setting{
		"setting 1: activejob.Retry: Attempts is -2; it must be more than 0, or activejob.Unlimited": {activejob.Retry{Attempts: -2}},
		"setting 1: activejob.Retry: Exceptions has an empty name\nactivejob.Retry: Jitter is 2; it must be between 0 and 1": {
			activejob.Retry{Exceptions: []string{""}, Jitter: 2},
		},
		`setting 1: activejob.Retry: Queue "\xff" is not valid UTF-8`:                                            {activejob.Retry{Queue: "\xff"}},
		"setting 1: activejob.Discard: Exceptions or Match is needed (StandardError drops every job that fails)": {activejob.Discard{}},
		"setting 2: activejob.Discard: Exceptions has an empty name":                                             {activejob.Retry{}, activejob.Discard{Exceptions: []string{""}}},
		"setting 2: activejob.Retry and retry.Policy cannot be combined":                                         {activejob.Retry{}, retry.Policy{}},
		"setting 3: retry.Policy and activejob.Discard cannot be combined":                                       {retry.Policy{}, resque.Timeout(time.Hour), activejob.Discard{Exceptions: []string{"X"}}},
	} {
		assert.PanicsWithValue(t, `resque: class "J": `+want, func() { activejob.Define0("J", "q", settings...) })
	}
}
