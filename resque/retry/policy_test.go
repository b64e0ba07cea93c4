package retry_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
)

func TestPoliciesThatCannotWorkPanic(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]retry.Policy{
		"Limit is -2; it must be more than 0, or retry.Forever":        {Limit: -2},
		"Delay: -1s is negative":                                       {Delay: retry.After(-time.Second)},
		"Delay: -1ns is negative":                                      {Delay: retry.Delays(0, -1)},
		"Delay: retry.Delays without delays":                           {Delay: retry.Delays()},
		"Delay: nil retry.DelayFunc":                                   {Delay: retry.DelayFunc(nil)},
		"Jitter is 1.5; it must be between 0 and 1":                    {Jitter: 1.5},
		"Record is 7; it must be retry.EveryAttempt or retry.LastOnly": {Record: 7},
		"ExpireAfter is -1ns; it must not be negative":                 {ExpireAfter: -1},
		`Queue "\xff" is not valid UTF-8`:                              {Queue: "\xff"},
		"Limit is -9; it must be more than 0, or retry.Forever\n" +
			"retry.Policy: ExpireAfter is -1ns; it must not be negative": {Limit: -9, ExpireAfter: -1},
	} {
		assert.PanicsWithValue(t, `resque: class "Exporter": setting 1: retry.Policy: `+want, func() {
			resque.Define0("Exporter", "exports", p)
		})
	}
	assert.PanicsWithValue(t, `resque: class "Exporter": setting 3: retry.Policy given twice`, func() {
		resque.Define1[int]("Exporter", "exports", retry.Policy{}, resque.Timeout(time.Hour), retry.Policy{Limit: 2})
	})
	assert.PanicsWithValue(t, `resque: class "Exporter": setting 2: retry.Policy given twice`, func() {
		resque.NewMux().HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil }, retry.Policy{}, retry.Policy{})
	})
}

// rdb has keys but no connections.
type rdb struct{ store.Redis }

func (rdb) Key(parts ...string) string {
	return "r:" + strings.Join(parts, ":")
}

// ending returns what the policy decides about a job with err, if the counter in Redis is
// count; "" if there is none.
func ending(t *testing.T, p retry.Policy, given *resque.Payload, count string, err error) policy.Ending {
	t.Helper()
	mux := resque.NewMux()
	mux.HandleFunc(given.Class, func(context.Context, *resque.Payload) error { return nil }, p)
	job := policy.Job{
		Class: given.Class, Queue: "q", Args: given.Args, Payload: []byte(`{}`), Given: given,
		Store: store.WithoutScripts(rdb{}), Now: func() time.Time { return time.Unix(1000, 900_000_000) },
	}
	set := resque.PoliciesOf(mux, given.Class)
	verdict, wrong := resque.Judge(mux, given.Class, given.Raw, err)
	assert.NoError(t, wrong)
	before := policy.Ending{Err: err, Verdict: verdict, Failure: func() []byte { return []byte("the failure") }}
	if before.Kind = policy.Failed; err == nil {
		before.Kind = policy.Done
	} else if verdict.Snooze {
		before.Kind = policy.Snoozed
	}
	e, wrong := set.End(&job, before)
	assert.NoError(t, wrong)
	if count != "" {
		job.Note(e.Expect, []store.Value{{Text: count}})
		e, wrong = set.End(&job, before)
		assert.NoError(t, wrong)
	}
	return e
}

func TestKeysAreThePlugins(t *testing.T) {
	t.Parallel()
	keys := golden.RetryKeys(t)
	assert.Len(t, keys, 23)
	for _, k := range keys {
		given := &resque.Payload{Class: k.Class, Args: k.Args}
		e := ending(t, retry.Policy{}, given, "", errors.New("x"))
		assert.Equal(t, []store.Expectation{{Key: "r:" + k.Key}}, e.Expect, "%s", k.Args)
	}
	for id, want := range map[string]string{
		" id\t\r\n\f\v\u00a0x ": "r:resque-retry:MyJob:id\u00a0x",
		"":                      "r:resque-retry:MyJob",
	} {
		p := retry.Policy{ID: func(job *resque.Payload) string { return id }}
		e := ending(t, p, &resque.Payload{Class: "My Job", Args: []json.RawMessage{[]byte("1")}}, "", errors.New("x"))
		assert.Equal(t, []store.Expectation{{Key: want}}, e.Expect)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	expo := []time.Duration{0, time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}
	byError := retry.DelayFunc(func(attempt int, err error) time.Duration {
		assert.Equal(t, boom, err)
		return time.Duration(attempt+1) * time.Minute
	})
	for _, c := range []struct {
		p     retry.Policy
		waits []time.Duration
		ends  bool
	}{
		{retry.Policy{}, []time.Duration{0}, true},
		{retry.Policy{Delay: retry.Exponential}, expo, true},
		{retry.Policy{Delay: retry.Exponential, Limit: 8}, append(expo, 6*time.Hour, 6*time.Hour), true},
		{retry.Policy{Delay: retry.After(time.Minute), Limit: 3}, []time.Duration{time.Minute, time.Minute, time.Minute}, true},
		{retry.Policy{Delay: retry.Delays(0, time.Second)}, []time.Duration{0, time.Second}, true},
		{retry.Policy{Delay: byError, Limit: retry.Forever}, []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}, false},
		{retry.Policy{Delay: retry.DelayFunc(func(int, error) time.Duration { return -time.Hour })}, []time.Duration{0}, true},
	} {
		given := &resque.Payload{Class: "J"}
		counts := []string{"", "0", "1", "2", "3", "4", "5", "6", "7"}
		for attempt, wait := range c.waits {
			e := ending(t, c.p, given, counts[attempt], boom)
			if !assert.NotNil(t, e.Again) {
				continue
			}
			due := time.Time{}
			if wait > 0 {
				due = time.Unix(1000, 0).Add(wait)
				if wait == time.Second {
					due = time.Unix(1001, 0)
				}
			}
			assert.Equal(t, due, e.Again.Due, "%v %d", c.p.Delay, attempt)
		}
		if c.ends {
			assert.Nil(t, ending(t, c.p, given, counts[len(c.waits)], boom).Again)
		}
	}
}

// The wait is lengthened by at most the jitter, and is the same for all that depends on it.
func TestJitter(t *testing.T) {
	t.Parallel()
	p := retry.Policy{Delay: retry.After(1000 * time.Second), Jitter: 0.5}
	seen := map[time.Time]bool{}
	for range 100 {
		due := ending(t, p, &resque.Payload{Class: "J"}, "", errors.New("x")).Again.Due
		seen[due] = true
		assert.False(t, due.Before(time.Unix(2000, 0)) || due.After(time.Unix(2500, 0)), due)
	}
	assert.Greater(t, len(seen), 10)
}

func TestErrorsDecide(t *testing.T) {
	t.Parallel()
	temporary, other := errors.New("temporary"), errors.New("other")
	only := retry.Policy{Only: func(err error) bool { return errors.Is(err, temporary) }}
	never := retry.Policy{Never: func(err error) bool { return errors.Is(err, temporary) }}
	given := &resque.Payload{Class: "J"}
	for _, c := range []struct {
		p    retry.Policy
		err  error
		want bool
	}{
		{only, temporary, true},
		{only, other, false},
		{never, temporary, false},
		{never, other, true},
		{retry.Policy{Limit: retry.Forever}, resque.Discard(other), false},
		{only, resque.RetryIn(time.Minute, other), false},
		{only, resque.RetryIn(time.Minute, temporary), true},
	} {
		e := ending(t, c.p, given, "", c.err)
		assert.Equal(t, c.want, e.Again != nil, c.err)
		if !c.want {
			assert.Empty(t, e.Expect, "Redis is not asked")
			assert.True(t, e.Fail)
		}
	}
	e := ending(t, retry.Policy{Delay: retry.After(time.Hour)}, given, "", resque.RetryIn(10*time.Second, other))
	assert.Equal(t, time.Unix(1010, 0), e.Again.Due)
	e = ending(t, retry.Policy{Delay: retry.After(time.Hour)}, given, "", resque.RetryIn(-1, other))
	assert.Zero(t, e.Again.Due)
	e = ending(t, retry.Policy{}, given, "", resque.Snooze(time.Minute))
	assert.Equal(t, time.Unix(1060, 0), e.Again.Due)
	assert.False(t, e.Fail)
	assert.Empty(t, e.Effects, "the number of attempts stays")
	assert.NoError(t, resque.RetryIn(time.Second, nil))
	assert.NoError(t, resque.Discard(nil))
}

// A counter that other programs have damaged never means that a job is retried for ever.
func TestDamagedCounters(t *testing.T) {
	t.Parallel()
	for count, again := range map[string]bool{
		"-1": true, "0": true, "1": false, "-5": true, "99": false,
		"x": false, "1.5": false, "99999999999999999999": false, "-99999999999999999999": false, " 0": false,
	} {
		e := ending(t, retry.Policy{Limit: 2}, &resque.Payload{Class: "J"}, count, errors.New("x"))
		assert.Equal(t, again, e.Again != nil, count)
	}
}
