package activejob_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// perform performs a payload by a route, and returns the attempts that wait, in queues or
// delayed, as they are in their queues.
func perform(t *testing.T, payload string, retry activejob.Retry, fail error) (waiting []string, err error) {
	t.Helper()
	p, failed := performIn(t, payload, retry, fail)
	_, err = p.client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
	require.NoError(t, err)
	return append(p.list(t, "queue:retry"), p.list(t, "queue:slow")...), failed
}

func performIn(t *testing.T, payload string, retry activejob.Retry, fail error) (performed, error) {
	t.Helper()
	server := redistest.StartEmbedded(t)
	p := performed{server.Client(t), server.Conn(t)}
	retry.Client = p.client
	mux := resque.NewMux()
	mux.Handle(activejob.Route("RetryJob", func(context.Context, *resque.Payload) error { return fail }).Use(retry.Middleware))
	job, err := resque.ParsePayload("popped", []byte(payload))
	require.NoError(t, err)
	return p, resque.Perform(t.Context(), mux, job)
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
	waiting, err := perform(t, recording(t, "retry_key"), activejob.Retry{Exceptions: []string{"KeyError", "IndexError"}}, fmt.Errorf("x: %w", rubyError("IndexError")))
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	assert.Contains(t, waiting[0], `"arguments":["key",1],"executions":1,"exception_executions":{"[KeyError, IndexError]":1},"locale":"en"`)

	waiting, err = perform(t, recording(t, "retry_io"), activejob.Retry{Queue: "slow", Priority: pointerTo(9)}, rubyError("IOError"))
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	assert.Contains(t, waiting[0], `"queue_name":"slow","priority":9,`)
	assert.Contains(t, waiting[0], `"exception_executions":{"[StandardError]":1}`)
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
		"an error without a class":  {exhausted, activejob.Retry{Exceptions: []string{"KeyError"}}, errors.New("x")},
		"Match says no":             {exhausted, activejob.Retry{Match: func(error) bool { return false }}, errors.New("x")},
		"a job of Resque":           {`{"class":"RetryJob","args":[]}`, activejob.Retry{}, errors.New("x")},
		"executions without counts": {`{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"RetryJob","executions":4}]}`, activejob.Retry{}, errors.New("x")},
		"a payload that cannot wait": {
			`{"class":"` + activejob.JobWrapper + `","queue":"x","args":[{"job_class":"RetryJob"}]}`,
			activejob.Retry{Match: func(error) bool { return true }},
			rubyError("ArgumentError"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting, err := perform(t, c.payload, c.retry, c.fail)
			require.ErrorIs(t, err, c.fail)
			assert.Empty(t, waiting)
			job, parseErr := resque.ParsePayload("q", []byte(c.payload))
			require.NoError(t, parseErr)
			var named rubyError
			if errors.As(c.fail, &named) {
				assert.Equal(t, string(named), resque.NewFailure(job, err, time.Now()).Exception, "it stays the job's error")
			}
		})
	}
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
				waiting, err := perform(t, payload, activejob.Retry{Exceptions: exceptions}, fail)
				if err != nil {
					require.ErrorIs(t, err, fail, c)
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
		p, err := performIn(t, recording(t, test.recording), test.retry, rubyError("ArgumentError"))
		require.NoError(t, err)
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

func TestWhatTheWorkerEndsIsNotRetried(t *testing.T) {
	t.Parallel()
	client := redistest.StartEmbedded(t).Client(t)
	timeout := &resque.TimeoutError{Class: "RetryJob", After: time.Second}
	for name, c := range map[string]struct {
		cause   error
		retried bool
	}{
		"stopped":       {errors.New("SIGTERM"), false},
		"time was over": {timeout, true},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(c.cause)
		retry := activejob.Retry{Client: client, Exceptions: []string{"Timeout::Error"}}
		handler := retry.Middleware(resque.HandlerFunc(func(ctx context.Context, _ *resque.Payload) error { return ctx.Err() }))
		err := handler.Perform(ctx, &resque.Payload{Queue: "q", Raw: []byte(recording(t, "retry_arg"))})
		assert.Equal(t, c.retried, err == nil, name)
	}
}

func TestRetryNeedsAClient(t *testing.T) {
	t.Parallel()
	route := activejob.Route("J", func(context.Context, *resque.Payload) error { return nil })
	assert.PanicsWithValue(t, "activejob: Retry: a Client is needed", func() { route.Use(activejob.Retry{}.Middleware) })
	assert.Nil(t, activejob.Route("J", nil).Use(activejob.Retry{}.Middleware).Handler, "Handle panics over that")
}
