package activejob_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/resume"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

func stepsWorker(t *testing.T, client *resque.Client, route resque.Route) *worker.Worker {
	t.Helper()
	mux := resque.NewMux()
	mux.Handle(route)
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"steps"}, UntilEmpty: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return w
}

func runDelayed(t *testing.T, client *resque.Client) (n int64) {
	t.Helper()
	_, err := client.Delayed().RunAll(t.Context(), resque.DelayedFilter{All: true}, nil)
	require.NoError(t, err)
	n, err = client.Size(t.Context(), "steps")
	require.NoError(t, err)
	return n
}

func TestStoppedJobGoesOnAtItsStep(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		job := activejob.Define1[string]("StepsJob", "steps", activejob.Continuable{})
		_, err := client.Enqueue(t.Context(), job.Job("a"))
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var did []string
		hooks := 0
		route := activejob.Route("StepsJob", func(jobCtx context.Context, _ *resque.Payload) error {
			did = append(did, "always")
			if err := activejob.Step(jobCtx, "first", func(*activejob.Cursor) error { did = append(did, "first"); return nil }); err != nil {
				return err
			}
			return activejob.StepFrom(jobCtx, "second", 1, func(c *activejob.Cursor) error {
				n := 0
				if err := c.Get(&n); err != nil {
					return err
				}
				for ; n <= 4; n++ {
					did = append(did, strconv.Itoa(n))
					if n == 2 {
						stop()
						<-resque.Stopping(jobCtx)
					}
					if err := c.Set(n + 1); err != nil {
						return err
					}
				}
				return nil
			})
		}, activejob.Continuable{}, resque.OnFailure(func(context.Context, *resque.Payload, error) error { hooks++; return nil }))
		require.NoError(t, stepsWorker(t, client, route).Run(ctx))
		assert.Equal(t, []string{"always", "first", "1", "2"}, did)
		processed, err := client.Stat(t.Context(), "processed")
		require.NoError(t, err)
		assert.EqualValues(t, 1, processed, "as in Rails")

		require.EqualValues(t, 1, runDelayed(t, client), "it waited in the delayed jobs")
		for waiting, err := range client.Peek(t.Context(), "steps", 0, 1) {
			require.NoError(t, err)
			assert.Contains(t, string(waiting.Raw), `"continuation":{"completed":["first"],"current":["second",3]},"resumptions":0}]}`)
		}
		require.NoError(t, stepsWorker(t, client, route).Run(t.Context()))
		assert.Equal(t, []string{"always", "first", "1", "2", "always", "3", "4"}, did)
		assert.Zero(t, runDelayed(t, client))
		failed, err := client.Stat(t.Context(), "failed")
		require.NoError(t, err)
		assert.Zero(t, failed)
		assert.Zero(t, hooks)
	})
}

// attempts performs a job with steps until it has ended.
func attempts(t *testing.T, payload string, perform func(ctx context.Context) error, settings ...resque.Setting) (n int, last string, failures []failureRecord) {
	t.Helper()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	_, err := client.EnqueuePayload(t.Context(), "steps", []byte(payload))
	require.NoError(t, err)
	route := activejob.Route("StepsJob", func(ctx context.Context, job *resque.Payload) error {
		n++
		last = string(job.Raw)
		return perform(ctx)
	}, settings...)
	for range 20 {
		require.NoError(t, stepsWorker(t, client, route).Run(t.Context()))
		if runDelayed(t, client) == 0 {
			break
		}
	}
	return n, last, performed{client, s.Conn(t)}.failures(t)
}

const stepsPayload = `{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"StepsJob","queue_name":"steps","arguments":[],"executions":0,"exception_executions":{}}]}`

func TestFailedJobGoesOnIfItHasAdvanced(t *testing.T) {
	t.Parallel()
	none := func(*activejob.Cursor) error { return nil }
	failing := func(ctx context.Context) error { // advances once in each attempt, up to 3
		return activejob.StepFrom(ctx, "count", 0, func(c *activejob.Cursor) error {
			n := 0
			if err := c.Get(&n); err != nil {
				return err
			}
			if n < 3 {
				if err := c.Set(n + 1); err != nil {
					return err
				}
			}
			return rubyError("IOError")
		})
	}
	progress := func(continuation string, resumptions int) string {
		return fmt.Sprintf(`"continuation":%s,"resumptions":%d}]}`, continuation, resumptions)
	}
	for name, c := range map[string]struct {
		perform  func(ctx context.Context) error
		settings []resque.Setting
		attempts int
		last     string // the end of the payload of the last attempt
		failure  string
	}{
		"until it advances no more":      {failing, []resque.Setting{activejob.Continuable{}}, 4, progress(`{"completed":[],"current":["count",3]}`, 2), "bad"},
		"at once":                        {failing, []resque.Setting{activejob.Continuable{Wait: activejob.NoWait}}, 4, progress(`{"completed":[],"current":["count",3]}`, 2), "bad"},
		"at most so often":               {failing, []resque.Setting{activejob.Continuable{MaxResumptions: 1}}, 2, progress(`{"completed":[],"current":["count",1]}`, 0), "Job was resumed a maximum of 1 times"},
		"not after errors":               {failing, []resque.Setting{activejob.Continuable{NotErrors: true}}, 1, `{}}]}`, "bad"},
		"and the handler says no":        {func(ctx context.Context) error { return resque.Discard(failing(ctx)) }, []resque.Setting{activejob.Continuable{}}, 1, `{}}]}`, "bad"},
		"then Retry retries at the step": {failing, []resque.Setting{activejob.Continuable{}, activejob.Retry{Attempts: 2}}, 5, progress(`{"completed":[],"current":["count",3]}`, 3), "bad"},
		"in another order of settings":   {failing, []resque.Setting{activejob.Retry{Attempts: 2}, activejob.Continuable{}}, 5, progress(`{"completed":[],"current":["count",3]}`, 3), "bad"},
		"Retry keeps the progress":       {failing, []resque.Setting{activejob.Continuable{NotErrors: true}, activejob.Retry{Attempts: 5}}, 5, progress(`{"completed":[],"current":["count",3]}`, 3), "bad"},
		"retry.Policy counts the others": {failing, []resque.Setting{activejob.Continuable{}, retry.Policy{}}, 5, progress(`{"completed":[],"current":["count",3]}`, 2), "bad"},
		"a panic": {func(ctx context.Context) error {
			_ = activejob.Step(ctx, "one", none)
			panic("at the disco")
		}, []resque.Setting{activejob.Continuable{}}, 2, progress(`{"completed":["one"]}`, 0), "panic: at the disco"},
		"a step twice": {func(ctx context.Context) error {
			return errors.Join(activejob.Step(ctx, "one", none), activejob.Step(ctx, "one", none))
		}, []resque.Setting{activejob.Continuable{}}, 1, `{}}]}`, "Step 'one' has already been encountered"},
		"a step in a step": {func(ctx context.Context) error {
			return activejob.Step(ctx, "one", func(*activejob.Cursor) error { return activejob.Step(ctx, "two", none) })
		}, []resque.Setting{activejob.Continuable{}}, 1, `{}}]}`, "Step 'two' is nested inside step 'one'"},
		"no name": {func(ctx context.Context) error { return activejob.Step(ctx, "", none) }, []resque.Setting{activejob.Continuable{}}, 1, `{}}]}`, `Step "" needs a name that is valid UTF-8 and not empty`},
		"a cursor that is not JSON": {func(ctx context.Context) error {
			return activejob.Step(ctx, "one", func(c *activejob.Cursor) error { return c.Set(func() {}) })
		}, []resque.Setting{activejob.Continuable{}}, 1, `{}}]}`, `activejob: step "one": the cursor cannot be stored as JSON`},
		"no setting": {func(ctx context.Context) error { return activejob.Step(ctx, "one", none) }, nil, 1, `{}}]}`, "activejob: Step: the class of the job does not have the setting activejob.Continuable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, last, failures := attempts(t, stepsPayload, c.perform, c.settings...)
			assert.Equal(t, c.attempts, n)
			assert.True(t, strings.HasSuffix(last, c.last), last)
			require.NotEmpty(t, failures)
			assert.Contains(t, failures[len(failures)-1].Error, c.failure)
		})
	}
}

func TestStepsMustBeThoseOfTheEarlierAttempts(t *testing.T) {
	t.Parallel()
	for continuation, want := range map[string]string{
		`{"completed":["other"]}`:                     "Step 'one' found, expected to see 'other'",
		`{"completed":[],"current":["other",1]}`:      "Step 'one' found, expected to resume from 'other'",
		`[]`:                                          "activejob: the continuation [] of the job is not what Rails writes",
		`{"completed":[1]}`:                           "activejob: the continuation {\"completed\":[1]} of the job is not what Rails writes",
		`{"completed":{}}`:                            "activejob: the continuation {\"completed\":{}} of the job is not what Rails writes",
		`{"completed":[],"current":"one"}`:            "activejob: the continuation {\"completed\":[],\"current\":\"one\"} of the job is not what Rails writes",
		`{"completed":[],"current":[1,2]}`:            "activejob: the continuation {\"completed\":[],\"current\":[1,2]} of the job is not what Rails writes",
		`{"completed":[],"current":["one",{"a":[]}]}`: `activejob: step "one": the cursor {"a":[]} cannot be read: json: cannot unmarshal object into Go value of type int`,
		`null`:                          "",
		`{}`:                            "",
		`{"completed":["one"]}`:         "",
		`{"current":["one", 5 ]}`:       "",
		`{"completed":[],"current":[]}`: "activejob: the continuation {\"completed\":[],\"current\":[]} of the job is not what Rails writes",
	} {
		payload := strings.Replace(stepsPayload, `}}]}`, `},"continuation":`+continuation+`}]}`, 1)
		_, _, failures := attempts(t, payload, func(ctx context.Context) error {
			return activejob.Step(ctx, "one", func(c *activejob.Cursor) error { n := 0; return c.Get(&n) })
		}, activejob.Continuable{})
		if want == "" {
			assert.Empty(t, failures, continuation)
			continue
		}
		require.Len(t, failures, 1, continuation)
		assert.Equal(t, want, failures[0].Error)
	}
}

// A job without a place for its progress runs to its end.
func TestStepsOfPlainJobsAndOfInlineClients(t *testing.T) {
	t.Parallel()
	perform := func(ctx context.Context) error {
		return activejob.Step(ctx, "one", func(c *activejob.Cursor) error { return c.Set(1) })
	}
	n, _, failures := attempts(t, `{"class":"StepsJob","args":[]}`, perform, activejob.Continuable{})
	assert.Equal(t, 1, n)
	assert.Empty(t, failures)

	stopping := make(chan struct{})
	close(stopping)
	mux := resque.NewMux()
	mux.Handle(activejob.Route("StepsJob", func(ctx context.Context, _ *resque.Payload) error { return perform(ctx) }, activejob.Continuable{}))
	require.NoError(t, resque.Perform(resque.WithStopping(t.Context(), stopping), mux, &resque.Payload{Class: "StepsJob", Raw: []byte(`{"class":"StepsJob","args":[]}`)}))
	_, err := inline(t, mux).Enqueue(t.Context(), activejob.Define0("StepsJob", "steps").Job())
	require.NoError(t, err)
}

// A job whose time is over goes on at its step, and one that was canceled does not.
func TestStepsAndTheEndOfTheContext(t *testing.T) {
	t.Parallel()
	n, last, failures := attempts(t, stepsPayload, func(ctx context.Context) error {
		if err := activejob.Step(ctx, "one", func(*activejob.Cursor) error { return nil }); err != nil {
			return err
		}
		<-ctx.Done()
		return activejob.Step(ctx, "two", func(c *activejob.Cursor) error { return c.Checkpoint() })
	}, activejob.Continuable{}, resque.Timeout(time.Millisecond))
	assert.Equal(t, 2, n)
	assert.Contains(t, last, `"{:exception=>#<Timeout::Error: StepsJob: execution expired after 1ms>}":1`)
	require.Len(t, failures, 1)
	assert.Equal(t, "Timeout::Error", failures[0].Exception)

	n, _, failures = attempts(t, stepsPayload, func(ctx context.Context) error {
		_ = activejob.Step(ctx, "one", func(*activejob.Cursor) error { return nil })
		return resque.ErrCanceled
	}, activejob.Continuable{})
	assert.Equal(t, 1, n)
	assert.Len(t, failures, 1)

	mux := resque.NewMux()
	route := activejob.Route("StepsJob", func(ctx context.Context, _ *resque.Payload) error {
		_ = activejob.Step(ctx, "one", func(*activejob.Cursor) error { return nil })
		return errors.New("the query was stopped")
	}, activejob.Continuable{})
	mux.Handle(route)
	for cause, goesOn := range map[error]bool{resque.ErrCanceled: false, resque.ErrKilled: false, resque.ErrLost: false, resque.ErrTerm: true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		job, err := resque.ParsePayload("steps", []byte(stepsPayload))
		require.NoError(t, err)
		verdict, wrong := resque.Judge(mux, "StepsJob", job.Raw, resque.Perform(ctx, mux, job))
		require.NoError(t, wrong)
		assert.Equal(t, goesOn, verdict.Handled, "%v", cause)
	}
}

func TestContinuableNamesMistakes(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string][]resque.Setting{
		"setting 1: activejob.Continuable: MaxResumptions is -1; it must not be negative\nactivejob.Continuable: Queue \"\\xff\" is not valid UTF-8": {activejob.Continuable{MaxResumptions: -1, Queue: "\xff"}},
		"setting 2: resume.Policy and activejob.Continuable cannot be combined":                                                                      {resume.Policy{}, activejob.Continuable{}},
		"setting 2: activejob.Continuable given twice":                                                                                               {activejob.Continuable{}, activejob.Continuable{}},
	} {
		assert.PanicsWithValue(t, `resque: class "J": `+want, func() { activejob.Define0("J", "q", settings...) })
	}
}
