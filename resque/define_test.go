package resque_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

// inline returns an inline client that performs jobs with mux.
func inline(t *testing.T, mux *resque.Mux) *resque.Client {
	t.Helper()
	client, err := resque.New(nil, resque.Config{Inline: mux})
	require.NoError(t, err)
	return client
}

func TestDefinitionsOnBothSides(t *testing.T) {
	t.Parallel()
	none := resque.Define0("None", "q")
	one := resque.Define1[options]("One", "q")
	two := resque.Define2[int64, string]("Two", "q")
	three := resque.Define3[time.Time, []byte, map[string]int]("Three", "q")
	four := resque.Define4[*int, bool, float64, any]("Four", "q")

	var got []any
	note := func(args ...any) error {
		got = append(got, args)
		return nil
	}
	mux := resque.NewMux()
	mux.Handle(none.Handler(func(context.Context) error { return note() }))
	mux.Handle(one.Handler(func(_ context.Context, a options) error { return note(a) }))
	mux.Handle(two.Handler(func(_ context.Context, a int64, b string) error { return note(a, b) }))
	mux.Handle(three.Handler(func(_ context.Context, a time.Time, b []byte, c map[string]int) error { return note(a, b, c) }))
	mux.Handle(four.Handler(func(_ context.Context, a *int, b bool, c float64, d any) error { return note(a, b, c, d) }))
	assert.Equal(t, []string{"Four", "None", "One", "Three", "Two"}, mux.Classes())

	at := time.Date(2026, 1, 15, 12, 34, 56, 789e6, time.UTC)
	client := inline(t, mux)
	for _, job := range []resque.Job{
		none.Job(), one.Job(options{ID: 1 << 60}), two.Job(9223372036854775807, "é"),
		three.Job(at, []byte{0, 255}, map[string]int{"a": 1}), four.Job(nil, true, 1e20, "x"),
	} {
		assert.Equal(t, "q", job.Queue)
		receipt, err := client.Enqueue(t.Context(), job)
		require.NoError(t, err, job.Class)
		assert.True(t, receipt.Enqueued())
	}
	assert.Equal(t, []any{
		[]any(nil),
		[]any{options{ID: 1 << 60}},
		[]any{int64(9223372036854775807), "é"},
		[]any{at, []byte{0, 255}, map[string]int{"a": 1}},
		[]any{(*int)(nil), true, 1e20, "x"},
	}, got)
}

func TestDefinitionsRefuseOtherArguments(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	fail := func() error { return errors.New("performed despite wrong arguments") }
	mux.Handle(resque.Define0("A0", "q").Handler(func(context.Context) error { return fail() }))
	mux.Handle(resque.Define1[int64]("A1", "q").Handler(func(context.Context, int64) error { return fail() }))
	mux.Handle(resque.Define2[int64, int64]("A2", "q").Handler(func(context.Context, int64, int64) error { return fail() }))
	mux.Handle(resque.Define3[int64, int64, int64]("A3", "q").Handler(func(context.Context, int64, int64, int64) error { return fail() }))
	mux.Handle(resque.Define4[int64, int64, int64, int64]("A4", "q").Handler(func(context.Context, int64, int64, int64, int64) error { return fail() }))
	for i := range 5 {
		class := fmt.Sprintf("A%d", i)
		job, err := resque.ParsePayload("q", fmt.Appendf(nil, `{"class":%q,"args":[1,2,3,4,5]}`, class))
		require.NoError(t, err)
		err = resque.Perform(t.Context(), mux, job)
		require.EqualError(t, err, fmt.Sprintf("%s: wrong number of arguments (given 5, expected %d)", class, i))
	}
}

func TestTimeoutIsASettingOfEveryArity(t *testing.T) {
	t.Parallel()
	d := resque.Define1[int]("A", "q")
	limited := resque.Define1[int]("A", "q", resque.Timeout(time.Minute))
	perform := func(context.Context, int) error { return nil }
	assert.Zero(t, d.Handler(perform).Timeout)
	assert.Equal(t, time.Minute, limited.Handler(perform).Timeout)
	assert.Equal(t, "A", limited.Class())
	assert.Equal(t, "q", limited.Queue())

	route := resque.Define0("Z", "q", resque.Timeout(time.Second)).Handler(func(context.Context) error { return nil })
	assert.Equal(t, time.Second, route.Timeout)
	assert.Equal(t, time.Second, resque.Define2[int, int]("Z", "q", resque.Timeout(time.Second)).
		Handler(func(context.Context, int, int) error { return nil }).Timeout)
	assert.Equal(t, time.Second, resque.Define3[int, int, int]("Z", "q", resque.Timeout(time.Second)).
		Handler(func(context.Context, int, int, int) error { return nil }).Timeout)
	assert.Equal(t, time.Second, resque.Define4[int, int, int, int]("Z", "q", resque.Timeout(time.Second)).
		Handler(func(context.Context, int, int, int, int) error { return nil }).Timeout)
}

func TestDefinePanics(t *testing.T) {
	t.Parallel()
	assert.PanicsWithValue(t, `resque: Define: empty class or queue: class "", queue "q"`, func() { resque.Define0("", "q") })
	assert.PanicsWithValue(t, `resque: Define: empty class or queue: class "A", queue ""`, func() { resque.Define1[int]("A", "") })
	assert.Panics(t, func() { resque.Define2[int, int]("", "") })
	assert.Panics(t, func() { resque.Define3[int, int, int]("", "q") })
	assert.Panics(t, func() { resque.Define4[int, int, int, int]("A", "") })
	t.Run("where nil is to perform", func(t *testing.T) {
		t.Parallel()
		for _, r := range []resque.Route{
			resque.Define0("A", "q").Handler(nil), resque.Define1[int]("A", "q").Handler(nil),
			resque.Define2[int, int]("A", "q").Handler(nil), resque.Define3[int, int, int]("A", "q").Handler(nil),
			resque.Define4[int, int, int, int]("A", "q").Handler(nil),
		} {
			assert.PanicsWithValue(t, `resque: Handle: nil handler for class "A"`, func() { resque.NewMux().Handle(r) })
		}
	})
}
