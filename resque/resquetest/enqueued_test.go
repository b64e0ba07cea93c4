package resquetest_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/resquetest"
)

func TestRequireEnqueued(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	letter := Letter{To: "ann", Size: 1}
	enqueue(t, client, Exporter.Job(41), Exporter.Job(42), Mailer.Job("ann", letter), Nightly.Job(), RailsJob.Job(7, letter),
		resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{43}})
	payload := `{"class":"Exporter","args":[1e2, {"b":1,"a":[null,true,"x"]}],"trace":"00-1"}`
	require.NoError(t, client.Push(t.Context(), "exports", []byte(payload)))

	job := resquetest.RequireEnqueued(t, client, Exporter, 42)
	assert.JSONEq(t, `{"class":"Exporter","args":[42]}`, string(job.Raw))
	assert.Equal(t, "[41]", fmt.Sprintf("%s", resquetest.RequireEnqueued(t, client, Exporter).Args), "the first one")
	for name, what := range map[string][]any{
		"a float for what Go spells as one":    {Mailer, "ann", map[string]any{"size": 1, "to": "ann"}},
		"a definition without arguments":       {Nightly},
		"a job of a definition":                {Exporter.Job(42)},
		"a definition's on another queue":      {resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{43}}},
		"any queue":                            {resque.Job{Class: "Exporter", Args: []any{43}}},
		"any arguments":                        {resque.Job{Queue: "urgent", Class: "Exporter"}},
		"numbers and objects by what they say": {Exporter, 100, json.RawMessage(`{"a":[null,true,"x"],"b":1.0}`)},
		"a job of Rails":                       {RailsJob},
		"a job of Rails with arguments":        {RailsJob, 7, letter},
		"another job of Rails, that says so":   {RailsJob.Job(7, letter)},
		"a plain job of Rails":                 {activejob.Job{Class: "LetterJob", Queue: "rails", Args: []any{7, letter}}.Resque()},
	} {
		assert.True(t, resquetest.AssertEnqueued(t, client, what[0], what[1:]...), name)
		resquetest.RequireEnqueued(t, client, what[0], what[1:]...)
		assert.Len(t, resquetest.Enqueued(t, client, what[0], what[1:]...), 1, name)
	}
	rails := resquetest.RequireEnqueued(t, client, RailsJob)
	var id int64
	var got Letter
	require.NoError(t, activejob.Bind(rails, &id, &got))
	assert.Equal(t, letter, got)
}

func TestRequireEnqueuedFails(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	for message, what := range map[string][]any{
		`Exporter [42] is not waiting on queue "exports": nothing is waiting.`:        {Exporter, 42},
		`Exporter is not waiting on any queue: nothing is waiting.`:                   {resque.Job{Class: "Exporter"}},
		`LetterJob [1] is not waiting on queue "rails": nothing is waiting.`:          {RailsJob, 1},
		`resquetest: a job is named by a definition or a resque.Job, not by a string`: {"Exporter", 42},
		`resquetest: a job is named by a definition or a resque.Job, not by a <nil>`:  {nil},
		`resquetest: a resque.Job has its arguments, and takes no others`:             {Exporter.Job(1), 42},
		`resquetest: resque: Exporter: argument 1: unsupported type chan int`:         {Exporter, make(chan int)},
	} {
		requireFails(t, true, message, func(t *fake) { resquetest.RequireEnqueued(t, client, what[0], what[1:]...) })
		requireFails(t, false, message, func(t *fake) {
			if resquetest.AssertEnqueued(t, client, what[0], what[1:]...) {
				t.Errorf("it says true")
			}
		})
	}
}

// The message shows what is like the wanted job first, and why it is not it.
func TestRequireEnqueuedShowsWhatIsThere(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Mailer.Job("ann", Letter{}), Exporter.Job(41), Exporter.Job(41), Exporter.Job(41),
		resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{42}}, RailsJob.Job(1, Letter{To: "bob"}))
	require.NoError(t, client.Push(t.Context(), "exports", []byte(`[1]`)))
	requireFails(t, true, `Exporter [42] is not waiting on queue "exports". What is:
    exports: Exporter [41]  ← other arguments (3 times)
    urgent: Exporter [42]  ← on another queue
    exports: unreadable: [1]
    mail: Mailer ["ann", {"to":"","size":0.0}]
    rails: LetterJob [1, {"to":"bob","size":0.0,"_aj_symbol_keys":["to","size"]}]`,
		func(t *fake) { resquetest.RequireEnqueued(t, client, Exporter, 42) })
	requireFails(t, true, `Exporter [] is not waiting on queue "exports". What is:
    exports: Exporter [41]  ← other arguments (3 times)
    urgent: Exporter [42]  ← other arguments
    exports: unreadable: [1]
    mail: Mailer ["ann", {"to":"","size":0.0}]
    rails: LetterJob [1, {"to":"bob","size":0.0,"_aj_symbol_keys":["to","size"]}]`,
		func(t *fake) {
			resquetest.RequireEnqueued(t, client, resque.Job{Queue: "exports", Class: "Exporter", Args: []any{}})
		})
}

func TestRequireEnqueuedShowsNoMoreThanCanBeRead(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	for i := range 30 {
		enqueue(t, client, resque.Job{Queue: "q", Class: "Other", Args: []any{i, strings.Repeat("é", 200)}})
	}
	f := run(t, func(t *fake) { resquetest.RequireEnqueued(t, client, Exporter) })
	rows := strings.Split(f.text(), "\n")
	require.Len(t, rows, 1+20+1)
	assert.Equal(t, "    … and 10 more", rows[21])
	for _, row := range rows {
		assert.Less(t, len(row), 250)
		assert.True(t, strings.ToValidUTF8(row, "?") == row, "cut in a rune: %s", row)
	}
}

// Integers are exact, and a type is not another one that looks like it.
func TestArgumentsThatAreNotTheSame(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	const big = 1 << 60
	enqueue(t, client, resque.Job{Queue: "q", Class: "J", Args: []any{big, "1", []any{1, 2}, map[string]any{"a": 1}, nil}})
	same := func(args ...any) bool {
		return resquetest.AssertNotEnqueued(&fake{ctx: t.Context()}, client, resque.Job{Class: "J", Args: args})
	}
	assert.False(t, same(big, "1", []any{1.0, 2}, map[string]int{"a": 1}, nil))
	for name, args := range map[string][]any{
		"one less":           {big - 1, "1", []any{1, 2}, map[string]int{"a": 1}, nil},
		"a number":           {big, 1, []any{1, 2}, map[string]int{"a": 1}, nil},
		"a text":             {strconv.Itoa(big), "1", []any{1, 2}, map[string]int{"a": 1}, nil},
		"another order":      {big, "1", []any{2, 1}, map[string]int{"a": 1}, nil},
		"a longer array":     {big, "1", []any{1, 2, 3}, map[string]int{"a": 1}, nil},
		"another key":        {big, "1", []any{1, 2}, map[string]int{"b": 1}, nil},
		"one key more":       {big, "1", []any{1, 2}, map[string]int{"a": 1, "b": 1}, nil},
		"false for nil":      {big, "1", []any{1, 2}, map[string]int{"a": 1}, false},
		"an object for nil":  {big, "1", []any{1, 2}, map[string]int{"a": 1}, map[string]int{}},
		"fewer":              {big, "1", []any{1, 2}, map[string]int{"a": 1}},
		"an array for a map": {big, "1", []any{1, 2}, []int{1}, nil},
	} {
		assert.True(t, same(args...), name)
	}
}

func TestRequireNotEnqueued(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Exporter.Job(41), Exporter.Job(41), resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{42}})
	resquetest.RequireNotEnqueued(t, client, Exporter, 43)
	resquetest.RequireNotEnqueued(t, client, Mailer)
	assert.True(t, resquetest.AssertNotEnqueued(t, client, RailsJob))
	for message, what := range map[string][]any{
		"Exporter [42] is waiting, and should not be:\n    urgent: Exporter [42]":                                  {Exporter, 42},
		"Exporter is waiting, and should not be:\n    exports: Exporter [41] (2 times)\n    urgent: Exporter [42]": {Exporter},
		"Exporter [41] is waiting, and should not be:\n    exports: Exporter [41] (2 times)":                       {resque.Job{Queue: "low", Class: "Exporter", Args: []any{41}}},
		"resquetest: a job is named by a definition or a resque.Job, not by a int":                                 {42},
	} {
		requireFails(t, true, message, func(t *fake) { resquetest.RequireNotEnqueued(t, client, what[0], what[1:]...) })
		requireFails(t, false, message, func(t *fake) {
			if resquetest.AssertNotEnqueued(t, client, what[0], what[1:]...) {
				t.Errorf("it says true")
			}
		})
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	assert.Empty(t, resquetest.Jobs(t, client))
	enqueue(t, client, Nightly.Job(), RailsJob.Job(1, Letter{}), Exporter.Job(41), Exporter.Job(42))
	require.NoError(t, client.Push(t.Context(), "nightly", []byte(`[1]`)))
	names := func(jobs []*resque.Payload) (names []string) {
		for _, job := range jobs {
			names = append(names, job.Queue+" "+job.Class)
		}
		return names
	}
	assert.Equal(t, []string{"exports Exporter", "exports Exporter", "nightly Nightly", "nightly ", "rails LetterJob"}, names(resquetest.Jobs(t, client)))
	assert.Equal(t, []string{"rails LetterJob", "exports Exporter", "exports Exporter"}, names(resquetest.Jobs(t, client, "rails", "exports", "none")))
	assert.Len(t, resquetest.Enqueued(t, client, Exporter), 2)
	assert.Len(t, resquetest.Enqueued(t, client, Exporter, 42), 1)
	assert.Empty(t, resquetest.Enqueued(t, client, Mailer))
	requireFails(t, true, "resquetest: a job is named by a definition or a resque.Job, not by a string",
		func(t *fake) { resquetest.Enqueued(t, client, "Exporter") })
}

func TestInlineClientsHaveNoQueues(t *testing.T) {
	t.Parallel()
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	require.NoError(t, err)
	const message = "resquetest: this client is inline: it performs jobs at once, and none ever waits or is recorded as failed"
	for _, helper := range []func(t *fake){
		func(t *fake) { resquetest.RequireEnqueued(t, client, Exporter) },
		func(t *fake) { resquetest.RequireNotEnqueued(t, client, Exporter) },
		func(t *fake) { resquetest.Jobs(t, client) },
		func(t *fake) { resquetest.RequireFailed(t, client, Exporter) },
		func(t *fake) { resquetest.RequireNoFailures(t, client) },
	} {
		requireFails(t, true, message, helper)
	}
}
