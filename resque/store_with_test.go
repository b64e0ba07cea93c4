package resque_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

func TestPayloadJobKeepsBytes(t *testing.T) {
	t.Parallel()
	const text = `{"class":"A","args":[1.50,{"a":1,"a":2},"\u003c"],"trace":{"x": 1},"n":1e2}`
	p, err := resque.ParsePayload("q", []byte(text))
	require.NoError(t, err)
	job, err := p.Job()
	require.NoError(t, err)
	assert.Equal(t, "q", job.Queue)
	got, err := job.Encode()
	require.NoError(t, err)
	assert.Equal(t, text, string(got))

	_, err = (&resque.Payload{Queue: "q", Class: "A", Raw: []byte("{")}).Job()
	require.ErrorContains(t, err, `unreadable payload in queue "q"`)
}

func TestStoreWithHandsOverPayloadAndTime(t *testing.T) {
	t.Parallel()
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux(), EnqueueHooks: []resque.EnqueueMiddleware{
		resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) { return job.Class != "B", nil }),
		resque.AfterEnqueue(func(context.Context, resque.Job) error { panic("it is not enqueued") }),
	}})
	require.NoError(t, err)
	var payload string
	var due time.Time
	put := func(_ context.Context, queue string, p []byte, at time.Time) error {
		assert.Equal(t, "q", queue)
		payload, due = string(p), at
		return nil
	}
	job := resque.Job{Queue: "q", Class: "A", Args: []any{1}}.WithMember("m", 2)
	receipt, err := client.StoreWith(t.Context(), job, put)
	require.NoError(t, err)
	assert.Equal(t, resque.Receipt{State: resque.Stored, Queue: "q"}, receipt)
	assert.Equal(t, `{"class":"A","args":[1],"m":2}`, payload)
	assert.True(t, due.IsZero())

	before := time.Now()
	_, err = client.StoreWith(t.Context(), job.In(time.Hour), put)
	require.NoError(t, err)
	assert.Equal(t, `{"class":"A","args":[1],"m":2}`, payload, "a scheduler removes the queue")
	assert.WithinRange(t, due, before.Add(time.Hour), time.Now().Add(time.Hour))

	job.Class = "B"
	receipt, err = client.StoreWith(t.Context(), job, put)
	require.NoError(t, err)
	assert.Equal(t, resque.Vetoed, receipt.State)
	job.Queue = ""
	job.Class = "A"
	_, err = client.StoreWith(t.Context(), job, put)
	require.ErrorIs(t, err, resque.ErrNoQueue)
}
