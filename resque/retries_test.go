package resque_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
	"github.com/goresque/goresque/resque/retry"
)

// The keys of the attempts of Exporter with the argument 1, and of one with its own ID.
const (
	counterOf1 = "resque:resque-retry:Exporter:356a192b7913b04c54574d18c28d46e6395428ab"
	failureOf1 = "resque:failure-resque-retry:Exporter:356a192b7913b04c54574d18c28d46e6395428ab"
	counterOfX = "resque:resque-retry:Own:x"
)

const lastFailure = `{"failed_at":"2026/01/15 12:34:56 UTC","payload":{"class":"Exporter","args":[1]},` +
	`"exception":"IOError","error":"disk full","backtrace":["a.rb:1","b.rb:2"],"worker":"host:1:exports","queue":"exports"}`

// retriesIn returns a server with retries: Exporter [1] failed twice, with its failure;
// Own [2] failed once, counted under its own ID; a Rails job was performed three times.
// Exporter [3] waits for its first attempt.
func retriesIn(t *testing.T) (server *redistest.Server, client *resque.Client, mux *resque.Mux) {
	t.Helper()
	server = redistest.Start(t)
	client = server.Client(t)
	mux = resque.NewMux()
	nothing := func(context.Context, *resque.Payload) error { return nil }
	mux.HandleFunc("Exporter", nothing, retry.Policy{Limit: 5, Record: retry.LastOnly})
	mux.HandleFunc("Own", nothing, retry.Policy{Limit: retry.Forever, ID: func(*resque.Payload) string { return "x" }})
	mux.Handle(activejob.Route("RailsJob", nothing, activejob.Retry{Attempts: 7}))
	rails := `{"class":"` + activejob.JobWrapper + `","args":[{"job_class":"RailsJob","arguments":[9],"executions":3}]}`
	for n, payload := range []string{
		`{"class":"Exporter","args":[1],"trace":"<a>"}`, `{"class":"Own","args":[2]}`, rails, `{"class":"Exporter","args":[3]}`,
	} {
		_, err := client.EnqueuePayloadIn(t.Context(), time.Hour+time.Duration(n/2)*time.Second, "exports", []byte(payload))
		require.NoError(t, err)
	}
	c := server.Conn(t)
	for _, set := range [][]any{{counterOf1, "1"}, {failureOf1, lastFailure}, {counterOfX, "0"}} {
		_, err := c.Do("SET", set...)
		require.NoError(t, err)
	}
	return server, client, mux
}

func allRetries(t *testing.T, r *resque.Retries, filter resque.DelayedFilter) (jobs []resque.RetryingJob, texts []string) {
	t.Helper()
	for job, err := range r.Jobs(t.Context(), filter) {
		require.NoError(t, err)
		jobs = append(jobs, job)
		texts = append(texts, strings.TrimPrefix(fmt.Sprintf("%s %s: %d of %d, %s", job.Class, job.Args, job.Attempt, job.Limit, job.Failure.Error), "ActiveJob::QueueAdapters::ResqueAdapter::"))
	}
	return jobs, texts
}

func TestRetriesAreListedWithTheirAttempts(t *testing.T) {
	t.Parallel()
	server, client, mux := retriesIn(t)
	const rails = `JobWrapper [{"job_class":"RailsJob","arguments":[9],"executions":3}]`
	jobs, texts := allRetries(t, client.Retries(mux), resque.DelayedFilter{})
	assert.Equal(t, []string{"Exporter [1]: 2 of 6, disk full", "Own [2]: 1 of -1, ", rails + ": 3 of 7, "}, texts)
	assert.Equal(t, "IOError", jobs[0].Failure.Exception)
	assert.Equal(t, []string{"a.rb:1", "b.rb:2"}, jobs[0].Failure.Backtrace)
	assert.Equal(t, 2026, jobs[0].Failure.FailedAt.Year())

	_, texts = allRetries(t, client.Retries(nil), resque.DelayedFilter{})
	assert.Equal(t, []string{"Exporter [1]: 2 of 0, disk full", rails + ": 3 of 0, "}, texts, "the ID of Own is not known")
	_, texts = allRetries(t, client.Retries(mux), resque.DelayedFilter{Class: "RailsJob"})
	assert.Equal(t, []string{rails + ": 3 of 7, "}, texts)

	part, err := client.Retries(mux).Search(t.Context(), resque.DelayedFilter{}, resque.DelayedPlace{}, 2, time.Minute)
	require.NoError(t, err)
	require.Len(t, part.Jobs, 2)
	require.True(t, part.More)
	part, err = client.Retries(mux).Search(t.Context(), resque.DelayedFilter{}, part.Next, 2, time.Minute)
	require.NoError(t, err)
	assert.Len(t, part.Jobs, 1)
	assert.False(t, part.More)

	found, err := client.Retries(mux).Find(t.Context(), jobs[1].ID)
	require.NoError(t, err)
	assert.Equal(t, jobs[1], found)
	for job, err := range client.Delayed().Jobs(t.Context(), resque.DelayedFilter{Args: []any{3}}) {
		require.NoError(t, err)
		_, err = client.Retries(mux).Find(t.Context(), job.ID)
		require.ErrorIs(t, err, resque.ErrNotRetrying)
	}

	c := server.Conn(t)
	_, err = c.Do("SET", counterOf1, "many")
	require.NoError(t, err)
	_, err = c.Do("SET", failureOf1, strings.Replace(lastFailure, `"a.rb:1"`, `"`+strings.Repeat("x", 100_000)+`"`, 1))
	require.NoError(t, err)
	jobs, texts = allRetries(t, client.Retries(mux), resque.DelayedFilter{Class: "Exporter"})
	assert.Equal(t, []string{"Exporter [1]: 0 of 6, disk full"}, texts)
	assert.False(t, jobs[0].Failure.IsWhole())
	_, err = c.Do("DEL", counterOf1, failureOf1)
	require.NoError(t, err)
	for _, key := range []string{counterOf1, failureOf1} { // keys of another type
		_, err = c.Do("RPUSH", key, "x")
		require.NoError(t, err)
	}
	_, texts = allRetries(t, client.Retries(mux), resque.DelayedFilter{Class: "Exporter"})
	assert.Equal(t, []string{"Exporter [1]: 0 of 6, "}, texts)
}

func TestRetriesRunAndCancel(t *testing.T) {
	t.Parallel()
	server, client, mux := retriesIn(t)
	c, r := server.Conn(t), client.Retries(mux)
	jobs, _ := allRetries(t, r, resque.DelayedFilter{})
	var first resque.DelayedID
	for job, err := range client.Delayed().Jobs(t.Context(), resque.DelayedFilter{Args: []any{3}}) {
		require.NoError(t, err)
		first = job.ID
	}
	for _, act := range []func(...resque.DelayedID) (resque.BulkProgress, error){
		func(ids ...resque.DelayedID) (resque.BulkProgress, error) { return r.Run(t.Context(), ids...) },
		func(ids ...resque.DelayedID) (resque.BulkProgress, error) {
			return r.Remove(t.Context(), resque.RemoveOptions{}, ids...)
		},
		func(ids ...resque.DelayedID) (resque.BulkProgress, error) {
			return r.GiveUp(t.Context(), resque.GiveUpOptions{}, ids...)
		},
	} {
		p, err := act(first)
		require.ErrorIs(t, err, resque.ErrNotRetrying)
		assert.EqualValues(t, 1, p.Refused)
	}
	p, err := r.Run(t.Context(), jobs[0].ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.Done)
	assert.Equal(t, []string{`{"class":"Exporter","args":[1],"trace":"<a>"}`}, lrange(t, c, "resque:queue:exports"))
	assert.Equal(t, []string{"1"}, values(t, c, counterOf1), "its attempts stay counted")

	p, err = r.Remove(t.Context(), resque.RemoveOptions{Keep: time.Hour}, jobs[1].ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.Done)
	assert.Equal(t, []string{""}, values(t, c, counterOfX))
	n, err := client.Delayed().Restore(t.Context(), p.Trash[0])
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)

	_, err = r.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.DelayedFilter{}, nil)
	require.ErrorIs(t, err, resque.ErrNoFilter)
	p, err = r.RemoveAll(t.Context(), resque.RemoveOptions{}, resque.DelayedFilter{All: true}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.Done, "only the Rails job waits for another attempt now")
	left, err := client.Delayed().Count(t.Context(), resque.DelayedFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 2, left)
}

// A job that is given up is a failure with the error of its last attempt and its own
// payload, and equal jobs begin to count again.
func TestRetriesGiveUp(t *testing.T) {
	t.Parallel()
	server, client, mux := retriesIn(t)
	c, r := server.Conn(t), client.Retries(mux)
	jobs, _ := allRetries(t, r, resque.DelayedFilter{})
	p, err := r.GiveUp(t.Context(), resque.GiveUpOptions{}, jobs[0].ID)
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.Done)
	assert.Empty(t, p.Trash)
	assert.Equal(t, []string{strings.Replace(lastFailure, `"args":[1]}`, `"args":[1],"trace":"<a>"}`, 1)}, lrange(t, c, "resque:failed"))
	assert.Equal(t, []string{"", ""}, values(t, c, counterOf1, failureOf1))
	_, err = r.GiveUp(t.Context(), resque.GiveUpOptions{}, jobs[0].ID)
	require.ErrorIs(t, err, resque.ErrDelayedChanged)

	var told []int64
	p, err = r.GiveUpAll(t.Context(), resque.GiveUpOptions{FailureLists: resque.FailuresByQueue}, resque.DelayedFilter{All: true},
		func(p resque.BulkProgress) { told = append(told, p.Done) })
	require.NoError(t, err)
	assert.EqualValues(t, 2, p.Done)
	assert.NotEmpty(t, told)
	assert.Equal(t, []string{"exports_failed"}, members(t, c, "resque:failed_queues"))
	recorded := lrange(t, c, "resque:exports_failed")
	require.Len(t, recorded, 2)
	assert.Contains(t, recorded[0], `"payload":{"class":"Own","args":[2]},"exception":"Resque::GivenUp","error":"given up by request after attempt 1;`)
	assert.Contains(t, recorded[1], `"executions":3}]},"exception":"Resque::GivenUp","error":"given up by request after attempt 3;`)
	left, err := client.Delayed().Count(t.Context(), resque.DelayedFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 1, left)
	assert.Equal(t, []string{""}, values(t, c, counterOfX))
}

// Many retries of one second are all found, while others are between them.
func TestManyRetriesAreGivenUp(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, c := server.Client(t), server.Conn(t)
	due := time.Now().Add(time.Hour)
	var jobs []resque.Job
	const n = 1500
	for i := range n {
		jobs = append(jobs, resque.Job{Queue: "q", Class: "J", Args: []any{i % 500}}.At(due))
	}
	_, err := client.EnqueueAll(t.Context(), jobs)
	require.NoError(t, err)
	for i := range 250 { // three copies of each even one wait for another attempt
		require.NoError(t, c.Send("SET", fmt.Sprintf("resque:resque-retry:J:%d", 2*i), 0))
	}
	_, err = c.Do("")
	require.NoError(t, err)
	mux := resque.NewMux()
	mux.HandleFunc("J", func(context.Context, *resque.Payload) error { return nil }, retry.Policy{ID: func(job *resque.Payload) string { return string(job.Args[0]) }})
	p, err := client.Retries(mux).GiveUpAll(t.Context(), resque.GiveUpOptions{}, resque.DelayedFilter{All: true}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 750, p.Done, "equal jobs share the counter, which the first removes")
	failed, err := redis.Int64(c.Do("LLEN", "resque:failed"))
	require.NoError(t, err)
	assert.Equal(t, p.Done, failed)
	left, err := client.Delayed().Count(t.Context(), resque.DelayedFilter{})
	require.NoError(t, err)
	assert.Equal(t, n-p.Done, left, "none is lost")
}

func lrange(t *testing.T, c redis.Conn, key string) []string {
	t.Helper()
	items, err := redis.Strings(c.Do("LRANGE", key, 0, -1))
	require.NoError(t, err)
	return items
}

func members(t *testing.T, c redis.Conn, key string) []string {
	t.Helper()
	items, err := redis.Strings(c.Do("SMEMBERS", key))
	require.NoError(t, err)
	return items
}

func values(t *testing.T, c redis.Conn, keys ...any) []string {
	t.Helper()
	items, err := redis.Strings(c.Do("MGET", keys...))
	require.NoError(t, err)
	return items
}
