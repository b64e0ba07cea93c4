package resque_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

func TestMembersStandBehindTheArguments(t *testing.T) {
	t.Parallel()
	plain := exporter(42)
	one := plain.WithMember("a", "<1>")
	two := one.WithMember("b", map[string]any{"x": 1e20}).WithMember("a", nil)
	for job, want := range map[*resque.Job]string{
		&plain: `{"class":"Exporter","args":[42]}`,
		&one:   `{"class":"Exporter","args":[42],"a":"<1>"}`,
		&two:   `{"class":"Exporter","args":[42],"b":{"x":1.0e+20},"a":null}`,
	} {
		got, err := job.Encode()
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
	rails, err := resque.JSONRails.AppendPayload(nil, one)
	require.NoError(t, err)
	assert.Equal(t, `{"class":"Exporter","args":[42],"a":"\u003c1\u003e"}`, string(rails))
}

func TestMembersThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, job := range []resque.Job{
		exporter(1).WithMember("class", "Other"), exporter(1).WithMember("args", []int{}),
		exporter(1).WithMember("a", math.NaN()), exporter(1).WithMember("\xff", 1),
	} {
		got, err := resque.JSONPlain.AppendPayload([]byte("before"), job)
		require.ErrorContains(t, err, "resque: Exporter: ")
		assert.Equal(t, "before", string(got))
	}
}

// A member that middleware adds stays in the payload wherever the job moves, and is part
// of the bytes that are compared.
func TestMembersTravel(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := hooked(t, s, func(next resque.EnqueueFunc) resque.EnqueueFunc {
			return func(ctx context.Context, job resque.Job) (resque.Receipt, error) {
				return next(ctx, job.WithMember("trace", "t"))
			}
		})
		_, err := client.Enqueue(t.Context(), exporter(1))
		require.NoError(t, err)
		_, err = client.EnqueueAll(t.Context(), []resque.Job{exporter(2), exporter(3)})
		require.NoError(t, err)
		for job, err := range client.Peek(t.Context(), "exports", 0, -1) {
			require.NoError(t, err)
			raw, ok := job.Member("trace")
			assert.True(t, ok, "%s", job.Raw)
			assert.Equal(t, `"t"`, string(raw))
			_, ok = job.Member("other")
			assert.False(t, ok)
		}
		removed, _, err := client.Dequeue(t.Context(), exporter(2))
		require.NoError(t, err)
		assert.EqualValues(t, 1, removed)
	})
}

func TestMemberOfWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{``, `[]`, `{"trace":1`} {
		_, ok := (&resque.Payload{Raw: []byte(payload)}).Member("trace")
		assert.False(t, ok, payload)
	}
	raw, ok := (&resque.Payload{Raw: []byte(`{"trace":1,"tr\u0061ce":2}`)}).Member("trace")
	assert.True(t, ok)
	assert.Equal(t, json.RawMessage("2"), raw, "the last counts, as in Ruby")
}

func TestWaitingSince(t *testing.T) {
	t.Parallel()
	const wrapper = `{"class":"` + activejob.JobWrapper + `","args":[`
	noon := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for payload, want := range map[string]time.Time{
		`{"class":"A","args":[]}`: {},
		`{"class":"A","args":[{"enqueued_at":"2026-01-15T12:00:00Z"}]}`:                            {}, // an argument
		`{"class":"A","args":[],"enqueued_at":"2026-01-15T12:00:00Z"}`:                             noon,
		`{"class":"A","args":[],"enqueued_at":1768478400}`:                                         noon,
		`{"class":"A","args":[],"enqueued_at":1768478400.25}`:                                      noon.Add(250 * time.Millisecond),
		`{"class":"A","args":[],"enqueued_at":"soon"}`:                                             {},
		`{"class":"A","args":[],"enqueued_at":[1]}`:                                                {},
		`{"class":"A","args":[],"enqueued_at":-1}`:                                                 {},
		`{"class":"A","args":[],"enqueued_at":1e999}`:                                              {},
		wrapper + `{"enqueued_at":"2026-01-15T12:00:00.000000000Z"}]}`:                             noon,
		wrapper + `{"enqueued_at":"2026-01-15T12:00:00Z"}],"enqueued_at":60}`:                      time.Unix(60, 0),
		wrapper + `{"enqueued_at":"2026-01-15T11:00:00Z","scheduled_at":"2026-01-15T12:00:00Z"}]}`: noon,
		wrapper + `{"enqueued_at":"2026-01-15T12:00:00Z","scheduled_at":"2026-01-15T11:00:00Z"}]}`: noon,
		wrapper + `{"enqueued_at":"2026-01-15T12:00:00Z","scheduled_at":null}]}`:                   noon,
		wrapper + `7]}`:     {},
		wrapper + `{},{}]}`: {},
		`not JSON`:          {},
	} {
		at, ok := (&resque.Payload{Raw: []byte(payload)}).WaitingSince()
		assert.Equal(t, !want.IsZero(), ok, payload)
		assert.True(t, want.Equal(at), "%s: %v", payload, at)
	}
}

func TestInnerClass(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "Exporter", exporter(1).InnerClass())
	assert.Equal(t, "ExportJob", activejob.Define0("ExportJob", "exports").Job().InnerClass())
	assert.Equal(t, activejob.JobWrapper, resque.Job{Class: activejob.JobWrapper, Args: []any{map[string]any{}}}.InnerClass())
}
