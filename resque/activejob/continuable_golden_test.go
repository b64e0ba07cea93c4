package activejob

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/resque"
)

func recorded(t *testing.T, name string) golden.Recording {
	t.Helper()
	for _, r := range golden.Family(t, "activejob-8.1.3.1") {
		if r.Name == name {
			return r
		}
	}
	require.Fail(t, "no such recording", name)
	return golden.Recording{}
}

// end performs a payload with steps and returns its end at a time. The worker stops when the
// handler calls stop.
func end(t *testing.T, payload string, at time.Time, setting Continuable, perform func(ctx context.Context, stop func()) error) policy.Ending {
	t.Helper()
	stopping := make(chan struct{})
	mux := resque.NewMux()
	mux.Handle(Route("StepsJob", func(ctx context.Context, _ *resque.Payload) error {
		return perform(ctx, func() { close(stopping) })
	}, setting))
	job, err := resque.ParsePayload("steps", []byte(payload))
	require.NoError(t, err)
	err = resque.Perform(resque.WithStopping(t.Context(), stopping), mux, job)
	require.Error(t, err)
	verdict, wrong := resque.Judge(mux, "StepsJob", job.Raw, err)
	require.NoError(t, wrong)
	e, wrong := resque.PoliciesOf(mux, "StepsJob").End(
		&policy.Job{Class: "StepsJob", Queue: "steps", Payload: job.Raw, Now: func() time.Time { return at }},
		policy.Ending{Kind: policy.Failed, Err: err, Verdict: verdict})
	require.NoError(t, wrong)
	return e
}

func TestInterruptedJobIsAsRailsWritesIt(t *testing.T) {
	t.Parallel()
	r := recorded(t, "continuation_interrupt")
	for name, finish := range map[string]func(err error) error{
		"the error is returned": func(err error) error { return err },
		"the error is dropped":  func(error) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := end(t, r.Popped(t), r.Now, Continuable{}, func(ctx context.Context, stop func()) error {
				if err := Step(ctx, "first", func(*Cursor) error { return nil }); err != nil {
					return err
				}
				err := Step(ctx, "second", func(c *Cursor) error {
					stop()
					return finish(c.Set(12))
				})
				return finish(err)
			})
			require.NotNil(t, e.Again)
			assert.False(t, e.Fail)
			assert.True(t, e.Verdict.Handled)
			assert.True(t, e.Verdict.Interrupted)
			pushed := r.Commands[1]
			assert.Equal(t, pushed[1], "resque:delayed:"+unix(e.Again.Due))
			assert.Equal(t, pushed[2], strings.TrimSuffix(string(e.Again.Payload), "}")+`,"queue":"`+e.Again.Queue+`"}`)
		})
	}
}

func unix(t time.Time) string { text, _ := json.Marshal(t.Unix()); return string(text) }

func TestEnqueuedJobWithStepsIsAsRailsWritesIt(t *testing.T) {
	t.Parallel()
	r := recorded(t, "continuation_enqueue")
	want := r.Pushed()[0]
	d, ok := DataOf(&resque.Payload{Raw: []byte(want)})
	require.True(t, ok)
	job := Job{
		Class: "StepsJob", Queue: "steps", Args: []any{1}, ID: d.ID, Locale: "en", Timezone: "UTC",
		EnqueuedAt: r.Now, Continuable: true,
	}.Resque()
	text, err := job.Encode()
	require.NoError(t, err)
	assert.Equal(t, want, string(text))

	text, err = Define1[int]("StepsJob", "steps", Continuable{}).Job(1).Encode()
	require.NoError(t, err)
	assert.Contains(t, string(text), `,"continuation":{"completed":[]},"resumptions":0}]}`)
	wrapped, err := Route("StepsJob", nil, Continuable{}).Wrapper.Wrap(resque.Job{Class: "StepsJob"}).Encode()
	require.NoError(t, err)
	assert.Contains(t, string(wrapped), `,"continuation":{"completed":[]},"resumptions":0}]}`)
}

// What Rails writes for other ends, by its source.
func TestNextAttemptHasTheProgress(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	const before = `{"class":"` + JobWrapper + `","args":[{ "job_class":"StepsJob","x" : [1.50],"queue_name":"q","executions":3,"exception_executions":{}`
	for name, c := range map[string]struct {
		setting   Continuable
		old, want string // after the members in before
		perform   func(ctx context.Context, stop func()) error
	}{
		"between steps": {
			Continuable{},
			`}]}`, `{"Interrupted after 'one' (stopping)":1},"continuation":{"completed":["one"]},"resumptions":0}]}`,
			func(ctx context.Context, stop func()) error {
				return steps(ctx, "one", func(*Cursor) error { stop(); return nil }, "two", nil)
			},
		},
		"unknown members": {
			Continuable{},
			`,"continuation" : {"x":[1.0],"completed":["\u006fne"],"y":"<"},"resumptions":4 ,"z":{}}]}`,
			`{"Interrupted at 'two', cursor 'nil' (stopping)":1},"continuation" : {"completed":["one"],"current":["two",null],"x":[1.0],"y":"<"},"resumptions":5 ,"z":{}}]}`,
			func(ctx context.Context, stop func()) error {
				return steps(ctx, "one", nil, "two", func(c *Cursor) error { stop(); return c.Checkpoint() })
			},
		},
		"a start, and a cursor with quotes": {
			Continuable{},
			`,"continuation":{"completed":[]},"resumptions":0}]}`,
			`{"Interrupted at 'é', cursor '[\"a\", 2.5, nil]' (stopping)":1},"continuation":{"completed":[],"current":["é",["a",2.5,null]]},"resumptions":0}]}`,
			func(ctx context.Context, stop func()) error {
				stop()
				return StepFrom(ctx, "é", []any{"a", 2.5, nil}, func(c *Cursor) error { return c.Checkpoint() })
			},
		},
		"an error after progress": {
			Continuable{Queue: "slow"},
			`,"continuation":{"completed":[],"current":["one",7]},"resumptions":1}]}`,
			`{"{:exception=>#<IOError: disk \"a\">}":1},"continuation":{"completed":[],"current":["one",8]},"resumptions":2}]}`,
			func(ctx context.Context, _ func()) error {
				return Step(ctx, "one", func(c *Cursor) error {
					n := 0
					if err := c.Get(&n); err != nil || !c.Resumed() {
						panic(err)
					}
					_ = c.Set(n + 1)
					return ioError(`disk "a"`)
				})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := end(t, before+c.old, at, c.setting, c.perform)
			require.NotNil(t, e.Again)
			want := strings.Replace(strings.TrimSuffix(before, "{}"), `"executions":3`, `"executions":4`, 1) + c.want
			if q := c.setting.Queue; q != "" {
				want = strings.Replace(want, `"queue_name":"q"`, `"queue_name":"`+q+`"`, 1)
				assert.Equal(t, q, e.Again.Queue)
			}
			assert.Equal(t, want, string(e.Again.Payload))
			assert.Equal(t, at.Add(5*time.Second), e.Again.Due)
		})
	}
}

type ioError string

func (e ioError) Error() string       { return string(e) }
func (ioError) ExceptionName() string { return "IOError" }

// steps performs two steps. A nil function must not be called.
func steps(ctx context.Context, first string, one func(*Cursor) error, second string, two func(*Cursor) error) error {
	if err := Step(ctx, first, one); err != nil {
		return err
	}
	return Step(ctx, second, two)
}
