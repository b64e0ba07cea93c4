package activejob_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

func TestEnqueueHooks(t *testing.T) {
	t.Parallel()
	var told []any
	tell := func(name string) resque.EnqueueMiddleware {
		return resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) {
			inside, ok := activejob.Inside(job)
			assert.True(t, ok)
			told = append(told, name, inside.Class, inside.Queue, inside.Args)
			return inside.Args == nil || inside.Args[0] != 13, nil
		})
	}
	performed := 0
	mux := resque.NewMux()
	zero := activejob.Define0("J0", "q", tell("0"))
	one := activejob.Define1[int]("J1", "q", tell("outer"), tell("inner"))
	two := activejob.Define2[int, int]("J2", "q", tell("2"))
	three := activejob.Define3[int, int, int]("J3", "q", tell("3"))
	four := activejob.Define4[int, int, int, int]("J4", "q", tell("4"))
	mux.Handle(zero.Handler(func(context.Context) error { performed++; return nil }))
	mux.Handle(one.Handler(func(context.Context, int) error { performed++; return nil }))
	mux.Handle(two.Handler(func(context.Context, int, int) error { performed++; return nil }))
	mux.Handle(three.Handler(func(context.Context, int, int, int) error { performed++; return nil }))
	mux.Handle(four.Handler(func(context.Context, int, int, int, int) error { performed++; return nil }))
	client := inline(t, mux)
	for _, job := range []resque.Job{zero.Job(), one.Job(1), two.Job(1, 2), three.Job(1, 2, 3), four.Job(1, 2, 3, 4)} {
		receipt, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
		assert.True(t, receipt.Enqueued())
	}
	assert.Equal(t, 5, performed)
	assert.Equal(t, []any{
		"0", "J0", "q", []any(nil), "outer", "J1", "q",
		[]any{1},
		"inner", "J1", "q",
		[]any{1},
		"2", "J2", "q",
		[]any{1, 2},
		"3", "J3", "q",
		[]any{1, 2, 3},
		"4", "J4", "q",
		[]any{1, 2, 3, 4},
	}, told)

	route, _ := mux.Route("J1")
	told = nil
	for _, job := range []resque.Job{one.Job(13), one.UncheckedJob(13), route.Job(13)} {
		receipt, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err)
		assert.False(t, receipt.Enqueued(), "the veto has no effect")
	}
	assert.Len(t, told, 3*4, "those of inner hooks")
	assert.Equal(t, 5, performed)
}

func TestInsideOfOthers(t *testing.T) {
	t.Parallel()
	for _, job := range []resque.Job{
		{Queue: "q", Class: "Exporter", Args: []any{1}},
		{Queue: "q", Class: activejob.JobWrapper},
		{Queue: "q", Class: activejob.JobWrapper, Args: []any{map[string]any{"job_class": "J"}}},
	} {
		_, ok := activejob.Inside(job)
		assert.False(t, ok, "%v", job)
	}
	at := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	given := activejob.Job{Class: "J", Queue: "q", Args: []any{1}, ID: "id", Locale: "fr", EnqueuedAt: at}
	inside, ok := activejob.Inside(given.Resque())
	assert.True(t, ok)
	assert.Equal(t, given, inside)
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	payload, err := activejob.Define1[int]("ExportJob", "q").Job(42).Encode()
	require.NoError(t, err)
	for text, want := range map[string]string{
		string(payload):                                       "ExportJob",
		`{"class":"Exporter","args":[]}`:                      "",
		`{"class":"` + activejob.JobWrapper + `","args":[1]}`: "",
	} {
		job, err := resque.ParsePayload("q", []byte(text))
		require.NoError(t, err)
		inside, ok := activejob.Unwrap(job)
		if want == "" {
			assert.False(t, ok)
			assert.Same(t, job, inside)
			continue
		}
		assert.True(t, ok)
		assert.Equal(t, want, inside.Class)
		assert.Equal(t, []json.RawMessage{json.RawMessage("42")}, inside.Args)
		assert.Equal(t, text, string(inside.Raw))
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	payload, err := activejob.Job{Class: "ExportJob", Queue: "exports", ID: "one", Args: []any{42, activejob.Symbol("csv")}}.Resque().Encode()
	require.NoError(t, err)
	record := func(payload string) resque.FailedJob {
		f := resque.NewFailure(&resque.Payload{Queue: "exports", Worker: "host:1:exports", Raw: []byte(payload)}, errors.New("no disk"), time.Now())
		return resque.ParseFailedJob("", 0, f.AppendJSON(nil))
	}
	failure := record(string(payload))
	assert.Equal(t, activejob.JobWrapper, failure.Class)
	job, ok := activejob.Failed(failure)
	require.True(t, ok)
	assert.Equal(t, []string{"ExportJob", "exports", "host:1:exports"}, []string{job.Class, job.Queue, job.Worker})
	assert.Equal(t, []any{json.Number("42"), activejob.Symbol("csv")}, activejob.Values(job))
	data, ok := activejob.DataOf(job)
	assert.True(t, ok)
	assert.Equal(t, "one", data.ID)
	for _, other := range []string{`{"class":"Exporter","args":[]}`, "no JSON", `{"class":"` + activejob.JobWrapper + `","args":[]}`} {
		job, ok := activejob.Failed(record(other))
		assert.False(t, ok, other)
		assert.Nil(t, job)
	}
}
