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

func TestRequireEnqueuedFindsJobs(t *testing.T) {
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
		"an integer for a float":            {Mailer, "ann", map[string]any{"size": 1, "to": "ann"}},
		"a definition without arguments":    {Nightly},
		"a job of a definition":             {Exporter.Job(42)},
		"a job of a class on another queue": {resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{43}}},
		"any queue":                         {resque.Job{Class: "Exporter", Args: []any{43}}},
		"any arguments":                     {resque.Job{Queue: "urgent", Class: "Exporter"}},
		"equal numbers and objects":         {Exporter, 100, json.RawMessage(`{"a":[null,true,"x"],"b":1.0}`)},
		"a job of Rails":                    {RailsJob},
		"a job of Rails with arguments":     {RailsJob, 7, letter},
		"a Job of a Rails definition":       {RailsJob.Job(7, letter)},
		"a plain job of Rails":              {activejob.Job{Class: "LetterJob", Queue: "rails", Args: []any{7, letter}}.Resque()},
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
		`Exporter [42] is not waiting on queue "exports". No job is waiting.`:  {Exporter, 42},
		`Exporter is not waiting on any queue. No job is waiting.`:             {resque.Job{Class: "Exporter"}},
		`LetterJob [1] is not waiting on queue "rails". No job is waiting.`:    {RailsJob, 1},
		`resquetest: a job must be a definition or a resque.Job, not a string`: {"Exporter", 42},
		`resquetest: a job must be a definition or a resque.Job, not a <nil>`:  {nil},
		`resquetest: a resque.Job has its own arguments, pass no others`:       {Exporter.Job(1), 42},
		`resquetest: resque: Exporter: argument 1: unsupported type chan int`:  {Exporter, make(chan int)},
	} {
		requireFails(t, true, message, func(t *fake) { resquetest.RequireEnqueued(t, client, what[0], what[1:]...) })
		requireFails(t, false, message, func(t *fake) {
			if resquetest.AssertEnqueued(t, client, what[0], what[1:]...) {
				t.Errorf("it returns true")
			}
		})
	}
}

// The message lists similar jobs first, and how they differ.
func TestRequireEnqueuedListsWaitingJobs(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Mailer.Job("ann", Letter{}), Exporter.Job(41), Exporter.Job(41), Exporter.Job(41),
		resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{42}}, RailsJob.Job(1, Letter{To: "bob"}))
	require.NoError(t, client.Push(t.Context(), "exports", []byte(`[1]`)))
	requireFails(t, true, `Exporter [42] is not waiting on queue "exports". Waiting jobs:
    exports: Exporter [41]  ← other arguments (3 times)
    urgent: Exporter [42]  ← on another queue
    exports: unreadable: [1]
    mail: Mailer ["ann", {"to":"","size":0.0}]
    rails: LetterJob [1, {"to":"bob","size":0.0,"_aj_symbol_keys":["to","size"]}]`,
		func(t *fake) { resquetest.RequireEnqueued(t, client, Exporter, 42) })
	requireFails(t, true, `Exporter [] is not waiting on queue "exports". Waiting jobs:
    exports: Exporter [41]  ← other arguments (3 times)
    urgent: Exporter [42]  ← other arguments
    exports: unreadable: [1]
    mail: Mailer ["ann", {"to":"","size":0.0}]
    rails: LetterJob [1, {"to":"bob","size":0.0,"_aj_symbol_keys":["to","size"]}]`,
		func(t *fake) {
			resquetest.RequireEnqueued(t, client, resque.Job{Queue: "exports", Class: "Exporter", Args: []any{}})
		})
}

func TestRequireEnqueuedLimitsTheMessage(t *testing.T) {
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
		assert.True(t, strings.ToValidUTF8(row, "?") == row, "a character is cut: %s", row)
	}
}

// Large integers are compared exactly, and values of different types are different.
func TestArgumentsAreComparedAsValues(t *testing.T) {
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

func TestRequireNotEnqueuedLooksOnAllQueues(t *testing.T) {
	t.Parallel()
	client := resquetest.New(t)
	enqueue(t, client, Exporter.Job(41), Exporter.Job(41), resque.Job{Queue: "urgent", Class: "Exporter", Args: []any{42}})
	resquetest.RequireNotEnqueued(t, client, Exporter, 43)
	resquetest.RequireNotEnqueued(t, client, Mailer)
	assert.True(t, resquetest.AssertNotEnqueued(t, client, RailsJob))
	for message, what := range map[string][]any{
		"Exporter [42] should not be waiting:\n    urgent: Exporter [42]":                                  {Exporter, 42},
		"Exporter should not be waiting:\n    exports: Exporter [41] (2 times)\n    urgent: Exporter [42]": {Exporter},
		"Exporter [41] should not be waiting:\n    exports: Exporter [41] (2 times)":                       {resque.Job{Queue: "low", Class: "Exporter", Args: []any{41}}},
		"resquetest: a job must be a definition or a resque.Job, not a int":                                {42},
	} {
		requireFails(t, true, message, func(t *fake) { resquetest.RequireNotEnqueued(t, client, what[0], what[1:]...) })
		requireFails(t, false, message, func(t *fake) {
			if resquetest.AssertNotEnqueued(t, client, what[0], what[1:]...) {
				t.Errorf("it returns true")
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
	requireFails(t, true, "resquetest: a job must be a definition or a resque.Job, not a string",
		func(t *fake) { resquetest.Enqueued(t, client, "Exporter") })
}

func TestHelpersRefuseInlineClients(t *testing.T) {
	t.Parallel()
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	require.NoError(t, err)
	const message = "resquetest: this client is inline: it performs jobs at once, so no job is waiting or recorded as failed"
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
