package activejob_test

import (
	"context"
	"errors"
	"fmt"
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

// perform performs a payload by a route, and returns what is then on queue.
func perform(t *testing.T, payload string, retry activejob.Retry, fail error) (waiting []string, err error) {
	t.Helper()
	server := redistest.StartEmbedded(t)
	retry.Client = server.Client(t)
	mux := resque.NewMux()
	mux.Handle(activejob.Route("RetryJob", func(context.Context, *resque.Payload) error { return fail }).Use(retry.Middleware))
	job, err := resque.ParsePayload("popped", []byte(payload))
	require.NoError(t, err)
	failed := resque.Perform(t.Context(), mux, job)
	for _, queue := range []string{"retry", "slow"} {
		items, err := redis.Strings(server.Conn(t).Do("LRANGE", "resque:queue:"+queue, 0, -1))
		require.NoError(t, err)
		waiting = append(waiting, items...)
	}
	return waiting, failed
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
	anyError := func(error) bool { return true }
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
		"a wait without Later":      {exhausted, activejob.Retry{Wait: activejob.PolynomiallyLonger, Match: anyError}, rubyError("ArgumentError")},
		"Later fails": {exhausted, activejob.Retry{Later: func(context.Context, time.Time, string, []byte) error {
			return errors.New("no scheduler")
		}}, rubyError("ArgumentError")},
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

func TestRetryWaits(t *testing.T) {
	t.Parallel()
	var at time.Time
	var queue, payload string
	later := func(_ context.Context, due time.Time, q string, p []byte) error {
		at, queue, payload = due, q, string(p)
		return nil
	}
	began := time.Now()
	waiting, err := perform(t, recording(t, "retry_arg"), activejob.Retry{Later: later}, errors.New("x"))
	require.NoError(t, err)
	assert.Empty(t, waiting)
	assert.WithinRange(t, at, began.Add(3*time.Second), time.Now().Add(3*time.Second), "Rails' three seconds")
	assert.Equal(t, "retry", queue)
	assert.Contains(t, payload, `"scheduled_at":"`+at.UTC().Format("2006-01-02T15:04:05.000000000Z")+`"`)

	began = time.Now()
	_, err = perform(t, recording(t, "retry_arg_second"),
		activejob.Retry{Later: later, Exceptions: []string{"ArgumentError"}, Wait: activejob.PolynomiallyLonger}, rubyError("ArgumentError"))
	require.NoError(t, err)
	assert.WithinRange(t, at, began.Add(18*time.Second), time.Now().Add(18*time.Second), "the second time: 2**4 + 2")
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
