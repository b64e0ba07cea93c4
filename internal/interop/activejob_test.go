package interop_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

func startRails(t *testing.T) *redistest.Server {
	t.Helper()
	server := start(t)
	redistest.Require(t, "rails", has("active_job", "global_id"))
	return server
}

type rubyFlaky struct{}

func (rubyFlaky) Error() string         { return "again" }
func (rubyFlaky) ExceptionName() string { return "RailsJob::Flaky" }

func TestRailsEnqueuesGoPerforms(t *testing.T) {
	t.Parallel()
	server := startRails(t)
	ruby(t, server, "active_job.rb", "enqueue")
	var got [][]any
	mux := resque.NewMux()
	mux.Handle(activejob.Route("RailsJob", func(ctx context.Context, job *resque.Payload) error {
		data, ok := activejob.FromContext(ctx)
		require.True(t, ok)
		assert.Equal(t, "rails", data.Queue)
		assert.Equal(t, "UTC", data.Timezone)
		assert.WithinDuration(t, time.Now(), data.EnqueuedAt, time.Minute)
		got = append(got, activejob.Values(job))
		if len(job.Args) == 1 && string(job.Args[0]) == `"flaky"` && data.Executions == 0 {
			return rubyFlaky{}
		}
		return nil
	}, activejob.Retry{Exceptions: []string{"RailsJob::Flaky"}, Wait: activejob.NoWait}))
	work(t, server, mux, "rails")
	assert.Empty(t, list(t, server, "resque:failed"))
	require.Len(t, got, 10, "nine jobs, one of them twice")
	noon := time.Date(2026, 1, 15, 12, 34, 56, 789012000, time.UTC)
	n := func(s string) json.Number { return json.Number(s) }
	assert.Equal(t, []any{n("1"), n("-9223372036854775808"), n("10000000000000000000000000"), n("1.5"), n("1.0e+20")}, got[1])
	assert.Equal(t, []any{"", "<b>&\u2028é", nil, true, false}, got[2])
	assert.Equal(t, []any{activejob.Symbol("sym"), []any{activejob.Symbol("a"), []any{"b"}}}, got[3])
	assert.Equal(t, activejob.IndifferentHash, got[4][1].(activejob.Hash).Kind)
	require.Len(t, got[5], 6)
	assert.True(t, noon.Equal(got[5][0].(time.Time)))
	assert.True(t, noon.Equal(got[5][1].(activejob.TimeWithZone).Time))
	assert.True(t, noon.Equal(got[5][2].(activejob.DateTime).Time))
	assert.Equal(t, activejob.DateOf(noon), got[5][3])
	assert.Equal(t, "gid://shop/Person/5", string(got[6][1].(activejob.GlobalID)))
	assert.Equal(t, activejob.KeywordHash, got[7][1].(activejob.Hash).Kind)
	assert.Equal(t, []any{"flaky"}, got[9])
}

func TestGoEnqueuesRailsPerforms(t *testing.T) {
	t.Parallel()
	server := startRails(t)
	type words struct {
		Format activejob.Symbol `json:"format"`
		Limit  int              `json:"limit"`
	}
	noon := time.Date(2026, 1, 15, 12, 34, 56, 789012000, time.UTC)
	job := func(args ...any) activejob.Job { return activejob.Job{Class: "RailsJob", Queue: "rails", Args: args} }
	french := job()
	french.ID, french.Locale, french.Timezone = "go-1", "fr", "Europe/Stockholm"
	enqueue(t, server,
		french.Resque(),
		job(1, int64(math.MinInt64), json.Number("10000000000000000000000000"), 1.5, 1e20, nil, true, "<b>&\u2028é").Resque(),
		job(activejob.Symbol("sym"), []activejob.Symbol{"a"}, activejob.Module("Kernel"), activejob.NewGlobalID("shop", "Person", "5")).Resque(),
		job(map[string]int{"a": 1}, words{"csv", 2}, activejob.Hash{Kind: activejob.IndifferentHash, Pairs: []activejob.Pair{{Key: "k", Value: 1}}}).Resque(),
		job(noon, activejob.TimeWithZone{Time: noon, Zone: "Etc/UTC"}, activejob.DateTime{Time: noon}, activejob.DateOf(noon), 90*time.Minute).Resque(),
		activejob.Define2[int, activejob.Keywords[words]]("RailsJob", "rails").Job(7, activejob.Keywords[words]{Of: words{"csv", 3}}),
	)
	got := reply[struct {
		Seen     [][]any
		Failures []any
	}](t, ruby(t, server, "active_job.rb", "work"))
	assert.Empty(t, got.Failures)
	require.Len(t, got.Seen, 6)
	assert.Equal(t, []any{[]any{}, map[string]any{}, "go-1", 1.0, "fr", "Europe/Stockholm"}, got.Seen[0])
	for i, want := range []string{
		`[["Integer","1"],["Integer","-9223372036854775808"],["Integer","10000000000000000000000000"],["Float","1.5"],["Float","1.0e+20"],["NilClass",""],["TrueClass","true"],["String","<b>&` + "\u2028" + `é"]]`,
		`[["Symbol","sym"],[["Symbol","a"]],["Module","Kernel"],["Person",5]]`,
		`[["Hash",[["\"a\"",["Integer","1"]]]],["Hash",[[":format",["Symbol","csv"]],[":limit",["Integer","2"]]]],["ActiveSupport::HashWithIndifferentAccess",[["\"k\"",["Integer","1"]]]]]`,
		`[["Time","2026-01-15T12:34:56.789012000Z"],["TimeWithZone","2026-01-15T12:34:56.789012000Z"],["DateTime","2026-01-15T12:34:56.789012000+00:00"],["Date","2026-01-15"],["Duration","[[:seconds, 5400]]"]]`,
		`[["Integer","7"]]`,
	} {
		text, err := json.Marshal(got.Seen[i+1][0])
		require.NoError(t, err)
		assert.JSONEq(t, want, string(text))
		assert.Equal(t, []any{"en", "UTC"}, got.Seen[i+1][4:], "the app's locale and time zone")
	}
	assert.Equal(t, map[string]any{"format": []any{"Symbol", "csv"}, "limit": []any{"Integer", "3"}}, got.Seen[5][1])
}

// Go performs the first attempt of a job, Rails the second.
func TestRailsCountsGosAttempts(t *testing.T) {
	t.Parallel()
	server := startRails(t)
	ruby(t, server, "active_job.rb", "enqueue")
	payloads := list(t, server, "resque:queue:rails")
	flaky := payloads[len(payloads)-1]
	require.Contains(t, flaky, `"flaky"`)
	second := redistest.StartReal(t)
	_, err := second.Client(t).EnqueuePayload(t.Context(), "first", []byte(flaky))
	require.NoError(t, err)
	mux := resque.NewMux()
	mux.Handle(activejob.Route("RailsJob", func(context.Context, *resque.Payload) error { return rubyFlaky{} },
		activejob.Retry{Exceptions: []string{"RailsJob::Flaky"}, Wait: activejob.NoWait}))
	work(t, second, mux, "first")
	text := ruby(t, second, "active_job.rb", "work")
	assert.Contains(t, text, `["gave up",2,{"[RailsJob::Flaky]":1}]`)
	assert.Contains(t, text, `"exception":"RailsJob::Flaky","error":"again"`)
}

// Resque.dequeue in a Rails process compares payloads with ActiveSupport's
// spelling.
func TestRailsDequeuesOnlyItsOwnSpelling(t *testing.T) {
	t.Parallel()
	server := startRails(t)
	for profile, removed := range map[resque.JSONProfile]string{resque.JSONRails: "1", resque.JSONPlain: "0"} {
		client, err := resque.New(server.Open(t), resque.Config{JSON: profile})
		require.NoError(t, err)
		_, err = client.Enqueue(t.Context(), resque.Job{Queue: "rails", Class: "Exporter", Args: []any{"<a & b>", 1e20}})
		require.NoError(t, err)
		assert.Equal(t, removed, strings.TrimSpace(ruby(t, server, "active_job.rb", "dequeue", `["<a & b>",1e20]`)), profile)
	}
}
