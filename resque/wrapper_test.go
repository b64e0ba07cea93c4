package resque_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// boxed returns a route of class whose jobs are wrapped in jobs of Box: [class, args].
func boxed(class string, fn resque.HandlerFunc) resque.Route {
	return resque.Route{Class: class, Handler: fn, Wrapper: &resque.Wrapper{Class: "Box", Unwrap: func(job *resque.Payload) (*resque.Payload, error) {
		inside := *job
		if len(job.Args) != 2 {
			return nil, errors.New("an empty box")
		}
		if string(job.Args[0]) == "null" {
			panic("a box that breaks")
		}
		err := errors.Join(json.Unmarshal(job.Args[0], &inside.Class), json.Unmarshal(job.Args[1], &inside.Args))
		return &inside, err
	}}}
}

func TestMuxLooksInside(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	var seen []string
	mux.Use(resque.BeforePerform(func(_ context.Context, job *resque.Payload) error {
		seen = append(seen, "before "+job.Class)
		return nil
	}))
	mux.Handle(boxed("Apple", func(ctx context.Context, job *resque.Payload) error {
		inContext, ok := resque.FromContext(ctx)
		assert.True(t, ok)
		assert.Same(t, job, inContext)
		seen = append(seen, job.Class+" "+string(job.Args[0]))
		return nil
	}))
	mux.Handle(boxed("Pear", nil).Use(func(resque.Handler) resque.Handler { return resque.NewMux() }))
	payload := `{"class":"Box","args":["Apple",[7]],"x":1}`
	for name, perform := range map[string]func(*resque.Payload) error{
		"Perform":     func(job *resque.Payload) error { return resque.Perform(t.Context(), mux, job) },
		"Mux.Perform": func(job *resque.Payload) error { return mux.Perform(t.Context(), job) },
	} {
		seen = nil
		job, err := resque.ParsePayload("q", []byte(payload))
		require.NoError(t, err)
		require.NoError(t, perform(job), name)
		assert.Equal(t, []string{"before Apple", "Apple 7"}, seen, name)
		assert.Equal(t, "Box", job.Class, "what was given is as it was")
	}
	inside, err := resque.Unwrap(mux, &resque.Payload{Class: "Box", Queue: "q", Worker: "w", Raw: []byte("p"), Args: []json.RawMessage{[]byte(`"A"`), []byte(`[]`)}})
	require.NoError(t, err)
	assert.Equal(t, &resque.Payload{Class: "A", Queue: "q", Worker: "w", Raw: []byte("p"), Args: []json.RawMessage{}}, inside)
}

func TestMuxCannotLookInside(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.Handle(boxed("Apple", func(context.Context, *resque.Payload) error { return errors.New("performed") }))
	for payload, want := range map[string]string{
		`{"class":"Box","args":[]}`:            "an empty box",
		`{"class":"Box","args":[null,[]]}`:     "panic: a box that breaks",
		`{"class":"Box","args":["Plum",[]]}`:   "uninitialized constant Plum (no Go handler is registered for this class)",
		`{"class":"Crate","args":["Plum",[]]}`: "uninitialized constant Crate (no Go handler is registered for this class)",
	} {
		job, err := resque.ParsePayload("q", []byte(payload))
		require.NoError(t, err)
		require.EqualError(t, resque.Perform(t.Context(), mux, job), want)
	}
	require.EqualError(t, mux.Perform(t.Context(), &resque.Payload{Class: "Box"}), "an empty box")
	plain := &resque.Payload{Class: "Box"}
	inside, err := resque.Unwrap(resque.HandlerFunc(nil), plain)
	require.NoError(t, err)
	assert.Same(t, plain, inside, "a handler that cannot look")
}

func TestFailureHooksOfJobsInside(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	var class string
	mux.Handle(boxed("Apple", func(context.Context, *resque.Payload) error { return nil }).
		OnFailure(func(_ context.Context, job *resque.Payload, _ error) error {
			class = job.Class
			return nil
		}))
	job, err := resque.ParsePayload("q", []byte(`{"class":"Box","args":["Apple",[7]]}`))
	require.NoError(t, err)
	cause := errors.New("x")
	require.Equal(t, cause, resque.FailureHooks(t.Context(), mux, job, cause))
	assert.Equal(t, "Apple", class)
}

func TestHandlePanicsOverWrappers(t *testing.T) {
	t.Parallel()
	perform := func(context.Context, *resque.Payload) error { return nil }
	mux := resque.NewMux()
	mux.Handle(boxed("Apple", perform))
	assert.PanicsWithValue(t, `resque: Handle: class "Box" is a wrapper and cannot have a handler`, func() { mux.HandleFunc("Box", perform) })
	mux = resque.NewMux()
	mux.HandleFunc("Box", perform)
	assert.PanicsWithValue(t, `resque: Handle: class "Box" cannot wrap "Apple": it has a handler`, func() { mux.Handle(boxed("Apple", perform)) })
	assert.PanicsWithValue(t, `resque: Handle: wrapper of class "Apple" has no Class or no Unwrap`, func() {
		mux.Handle(resque.Route{Class: "Apple", Handler: resque.HandlerFunc(perform), Wrapper: &resque.Wrapper{Class: "B"}})
	})
}

func TestEnqueuePayload(t *testing.T) {
	t.Parallel()
	var got string
	client := inline(t, resque.NewMux())
	_, err := client.EnqueuePayload(t.Context(), "q", []byte(`{"class":"J"}`))
	require.ErrorContains(t, err, "performing J inline")
	client, err = resque.New(nil, resque.Config{Inline: resque.HandlerFunc(func(_ context.Context, job *resque.Payload) error {
		got = string(job.Raw)
		return nil
	})})
	require.NoError(t, err)
	payload := ` {"x":1,"class":"J" , "args":[1.50]}`
	receipt, err := client.EnqueuePayload(t.Context(), "q", []byte(payload))
	require.NoError(t, err)
	assert.True(t, receipt.Enqueued())
	assert.Equal(t, payload, got)
	_, err = client.EnqueuePayload(t.Context(), "q", []byte(`[]`))
	var unreadable *resque.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	_, err = client.EnqueuePayload(t.Context(), "", []byte(payload))
	require.ErrorIs(t, err, resque.ErrNoQueue)
}
