package activejob_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

type options struct {
	Format string `json:"format"`
	Limit  *int   `json:"limit,omitempty"`
}

func inline(t *testing.T, mux *resque.Mux) *resque.Client {
	t.Helper()
	client, err := resque.New(nil, resque.Config{Inline: mux})
	require.NoError(t, err)
	return client
}

func TestDefinitionsOnBothSides(t *testing.T) {
	t.Parallel()
	none := activejob.Define0("None", "q")
	one := activejob.Define1[options]("One", "q")
	two := activejob.Define2[int64, activejob.Keywords[options]]("Two", "q")
	three := activejob.Define3[time.Time, activejob.Date, map[string]int]("Three", "q")
	four := activejob.Define4[*int, activejob.GlobalID, time.Duration, any]("Four", "q")

	var got []any
	note := func(args ...any) error {
		got = append(got, args)
		return nil
	}
	mux := resque.NewMux()
	mux.Handle(none.Handler(func(context.Context) error { return note() }))
	mux.Handle(one.Handler(func(_ context.Context, a options) error { return note(a) }))
	mux.Handle(two.Handler(func(_ context.Context, a int64, b activejob.Keywords[options]) error { return note(a, b.Of) }))
	mux.Handle(three.Handler(func(_ context.Context, a time.Time, b activejob.Date, c map[string]int) error { return note(a, b, c) }))
	mux.Handle(four.Handler(func(_ context.Context, a *int, b activejob.GlobalID, c time.Duration, d any) error {
		return note(a, b, c, d)
	}))
	assert.Equal(t, []string{"Four", "None", "One", "Three", "Two"}, mux.Classes())

	at := time.Date(2026, 1, 15, 12, 34, 56, 789123456, time.UTC)
	client := inline(t, mux)
	for _, job := range []resque.Job{
		none.Job(), one.Job(options{"csv", nil}), two.Job(1<<60, activejob.Keywords[options]{options{"pdf", pointerTo(7)}}),
		three.Job(at, activejob.DateOf(at), map[string]int{"a": 1}),
		four.Job(nil, activejob.NewGlobalID("shop", "Person", "5"), 1500*time.Millisecond, activejob.Symbol("x")),
	} {
		assert.Equal(t, "q", job.Queue)
		assert.Equal(t, activejob.JobWrapper, job.Class)
		receipt, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
		assert.True(t, receipt.Enqueued())
	}
	assert.Equal(t, []any{
		[]any(nil),
		[]any{options{"csv", nil}},
		[]any{int64(1 << 60), options{"pdf", pointerTo(7)}},
		[]any{at, activejob.Date{Year: 2026, Month: 1, Day: 15}, map[string]int{"a": 1}},
		[]any{(*int)(nil), activejob.GlobalID("gid://shop/Person/5"), 1500 * time.Millisecond, activejob.Symbol("x")},
	}, got)
}

func TestDefinitionIsAValue(t *testing.T) {
	t.Parallel()
	for _, route := range []resque.Route{
		activejob.Define0("J", "q", resque.Timeout(time.Second)).Handler(func(context.Context) error { return nil }),
		activejob.Define1[int]("J", "q", resque.Timeout(time.Second)).Handler(func(context.Context, int) error { return nil }),
		activejob.Define2[int, int]("J", "q", resque.Timeout(time.Second)).Handler(func(context.Context, int, int) error { return nil }),
		activejob.Define3[int, int, int]("J", "q", resque.Timeout(time.Second)).Handler(func(context.Context, int, int, int) error { return nil }),
		activejob.Define4[int, int, int, int]("J", "q", resque.Timeout(time.Second)).Handler(func(context.Context, int, int, int, int) error { return nil }),
	} {
		assert.Equal(t, time.Second, route.Timeout)
		assert.Equal(t, "J", route.Class)
		assert.Equal(t, "q", route.Queue)
		job := &resque.Payload{Class: "J", Args: make([]json.RawMessage, 5)}
		require.ErrorContains(t, route.Handler.Perform(t.Context(), job), "J: wrong number of arguments (given 5, expected ")
	}
	d := activejob.Define0("J", "q")
	assert.Equal(t, "J", d.Class())
	assert.Equal(t, "q", d.Queue())
	assert.PanicsWithValue(t, `activejob: Define: a class and a queue are needed, got "", "q"`, func() { activejob.Define0("", "q") })
	assert.PanicsWithValue(t, `resque: Handle: nil handler for class "J"`, func() { resque.NewMux().Handle(d.Handler(nil)) })
}

func TestJobsOfRailsAndOfResqueShareAMux(t *testing.T) {
	t.Parallel()
	var got []string
	mux := resque.NewMux()
	mux.Use(func(next resque.Handler) resque.Handler {
		return resque.HandlerFunc(func(ctx context.Context, job *resque.Payload) error {
			got = append(got, "in "+job.Class)
			return next.Perform(ctx, job)
		})
	})
	mux.Handle(activejob.Define1[int]("ExportJob", "q").Handler(func(ctx context.Context, id int) error {
		data, ok := activejob.FromContext(ctx)
		got = append(got, fmt.Sprintf("%d %v %q", id, ok, data.Queue))
		return nil
	}))
	mux.Handle(resque.Define1[int]("Exporter", "q").Handler(func(ctx context.Context, id int) error {
		_, ok := activejob.FromContext(ctx)
		got = append(got, fmt.Sprint(id, ok))
		return nil
	}))
	client := inline(t, mux)
	for _, job := range []resque.Job{
		activejob.Define1[int]("ExportJob", "q").Job(1),
		resque.Define1[int]("Exporter", "q").Job(2),
		{Queue: "q", Class: "ExportJob", Args: []any{3}}, // as if Resque's own
	} {
		_, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"in ExportJob", `1 true "q"`, "in Exporter", "2 false", "in ExportJob", `3 false ""`}, got)
	_, ok := activejob.FromContext(t.Context())
	assert.False(t, ok)
}

func TestWhatIsNoJobOfRails(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.Handle(activejob.Route("PlainJob", func(context.Context, *resque.Payload) error { return errors.New("performed") }))
	for args, want := range map[string]string{
		`[]`:                     "not an ActiveJob job: it does not have exactly one argument",
		`[{},{}]`:                "not an ActiveJob job: it does not have exactly one argument",
		`["x"]`:                  "not an ActiveJob job: its argument is not an object",
		`[{}]`:                   "not an ActiveJob job: job_class is missing",
		`[{"job_class":7}]`:      "not an ActiveJob job: job_class is missing",
		`[{"job_class":"Nope"}]`: "uninitialized constant Nope (no Go handler is registered for this class)",
		`[{"job_class":"PlainJob","arguments":{}}]`:   "not an ActiveJob job: arguments of PlainJob are not an array",
		`[{"job_class":"PlainJob","arguments":null}]`: "performed",
		`[{"job_class":"PlainJob"}]`:                  "performed",
		`[{"job_class":"PlainJob","arguments":[]}]`:   "performed", // accepts_minimal
	} {
		job, err := resque.ParsePayload("q", []byte(`{"class":"`+activejob.JobWrapper+`","args":`+args+`}`))
		require.NoError(t, err)
		assert.EqualError(t, resque.Perform(t.Context(), mux, job), want, args)
	}
}

// TestEveryRecordedEnvelope reads the data of every job that Rails enqueued.
func TestEveryRecordedEnvelope(t *testing.T) {
	t.Parallel()
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n := 0
			for _, r := range golden.Family(t, "activejob-"+version) {
				for _, payload := range r.Pushed() {
					job := unwrap(t, clipFailure(payload))
					data, ok := activejob.DataOf(job)
					require.True(t, ok, r.Name)
					n++
					assert.Equal(t, job.Class, data.Class)
					assert.Regexp(t, `^00000000-0000-4000-8000-\d{12}$`, data.ID, r.Name)
					assert.NotEmpty(t, data.Queue, r.Name)
					assert.False(t, data.EnqueuedAt.IsZero(), r.Name)
					assert.Len(t, activejob.Values(job), len(job.Args))
				}
			}
			t.Logf("Rails %s: the data of %d of %d recorded payloads read", version, n, n)
			assert.GreaterOrEqual(t, n, 60)
		})
	}
}

// clipFailure is the payload in a failure's record.
func clipFailure(record string) string {
	var failure struct{ Payload json.RawMessage }
	if json.Unmarshal([]byte(record), &failure) == nil && failure.Payload != nil {
		return string(failure.Payload)
	}
	return record
}

func TestDataSaysWhatRailsSaid(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 12, 34, 56, 789012000, time.UTC)
	want := map[string]func(d activejob.Data){
		"queue_prefix":   func(d activejob.Data) { assert.Equal(t, "app_production_mailers", d.Queue) },
		"priority_class": func(d activejob.Data) { assert.Equal(t, 50, *d.Priority) },
		"priority_set":   func(d activejob.Data) { assert.Equal(t, -5, *d.Priority) },
		"nested_class":   func(d activejob.Data) { assert.Equal(t, "Admin::NestedJob", d.Class); assert.Nil(t, d.Priority) },
		"locale":         func(d activejob.Data) { assert.Equal(t, "fr", d.Locale) },
		"timezone_named": func(d activejob.Data) { assert.Equal(t, "Eastern Time (US & Canada)", d.Timezone) },
		"timezone_nil":   func(d activejob.Data) { assert.Empty(t, d.Timezone) },
		"wait": func(d activejob.Data) {
			assert.True(t, at.Equal(d.EnqueuedAt))
			assert.True(t, at.Add(5*time.Minute).Equal(d.DueAt))
			assert.Equal(t, 0, d.Executions)
			assert.Empty(t, d.Exceptions)
		},
		"retry_arg_second": func(d activejob.Data) {
			assert.Equal(t, 2, d.Executions)
			assert.Equal(t, map[string]int{"[ArgumentError]": 2}, d.Exceptions)
		},
		"continuation_interrupt": func(d activejob.Data) {
			raw, ok := d.Member("continuation")
			assert.True(t, ok)
			assert.JSONEq(t, `{"completed":["first"],"current":["second",12]}`, string(raw))
		},
	}
	for _, r := range golden.Family(t, "activejob-8.1.3.1") {
		if check, ok := want[r.Name]; ok {
			data, ok := activejob.DataOf(&resque.Payload{Raw: []byte(r.Pushed()[0])})
			require.True(t, ok)
			check(data)
			delete(want, r.Name)
		}
	}
	assert.Empty(t, want)
	odd, ok := activejob.DataOf(&resque.Payload{Raw: []byte(`{"class":"` + activejob.JobWrapper +
		`","args":[{"executions":"x","priority":"x","exception_executions":[],"enqueued_at":"yesterday","locale":5}]}`)})
	require.True(t, ok, "accepts_bad_enqueued_at: a job is not lost over that")
	assert.Zero(t, odd.Executions)
	assert.True(t, odd.EnqueuedAt.IsZero())
}

func TestEnqueuedJobs(t *testing.T) {
	t.Parallel()
	began := time.Now()
	job := activejob.Define1[int]("J", "q").Job(1)
	one, err := job.Encode()
	require.NoError(t, err)
	two, err := job.Encode()
	require.NoError(t, err)
	assert.Equal(t, string(one), string(two), "a job that is enqueued again is the same")
	assert.Regexp(t, `"job_id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`, string(one))
	data, ok := activejob.DataOf(&resque.Payload{Raw: one})
	require.True(t, ok)
	assert.WithinRange(t, data.EnqueuedAt, began.Round(0), time.Now())
	other, ok := activejob.DataOf(&resque.Payload{Raw: must(t)(activejob.Define1[int]("J", "q").Job(1).Encode())})
	require.True(t, ok)
	assert.NotEqual(t, data.ID, other.ID)

	at := time.Date(2026, 1, 15, 13, 34, 56, 789012000, time.FixedZone("", 3600))
	text := must(t)(activejob.Job{Class: "J", Queue: "q", ID: "x", Priority: pointerTo(5), EnqueuedAt: at, ScheduledAt: at.Add(time.Second)}.Resque().Encode())
	want := `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"J","job_id":"x","provider_job_id":null,` +
		`"queue_name":"q","priority":5,"arguments":[],"executions":0,"exception_executions":{},"locale":null,"timezone":null,` +
		`"enqueued_at":"2026-01-15T12:34:56.789012000Z","scheduled_at":"2026-01-15T12:34:57.789012000Z"}]}`
	assert.Equal(t, want, string(text))
}

func must(t *testing.T) func(payload []byte, err error) []byte {
	t.Helper()
	return func(payload []byte, err error) []byte {
		t.Helper()
		require.NoError(t, err)
		return payload
	}
}

// TestEveryRecordedJobIsWrittenAgain makes each job of a first attempt from what
// was read of it: queues, priorities, locales, time zones and waits included.
func TestEveryRecordedJobIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for _, version := range versions()[1:] { // Rails 6.1 leaves scheduled_at out, and writes whole seconds
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n := 0
			for _, r := range golden.Family(t, "activejob-"+version) {
				for _, payload := range r.Pushed() {
					payload = clipFailure(payload)
					job := unwrap(t, payload)
					d, ok := activejob.DataOf(job)
					require.True(t, ok)
					_, continues := d.Member("continuation")
					if d.Executions > 0 {
						continue
					}
					n++
					text, err := resque.JSONRails.AppendPayload(nil, activejob.Job{
						Class: d.Class, Queue: d.Queue, Args: activejob.Values(job), ID: d.ID, Priority: d.Priority,
						Locale: d.Locale, Timezone: d.Timezone, EnqueuedAt: d.EnqueuedAt, ScheduledAt: d.DueAt,
						Continuable: continues,
					}.Resque())
					require.NoError(t, err)
					if i := strings.LastIndex(payload, `],"queue":`); i > 0 { // the scheduler's
						payload = payload[:i] + "]}"
					}
					assert.Equal(t, payload, string(text), r.Name)
				}
			}
			t.Logf("Rails %s: %d of %d first attempts written byte for byte from what was read of them", version, n, n)
			assert.Greater(t, n, 50)
		})
	}
}
