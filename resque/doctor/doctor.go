// Package doctor looks for what is wrong with a Resque, or soon may be: settings of Redis
// that lose jobs, keys of the wrong type, workers that are silent, delayed jobs that nothing
// will ever move, recurring entries that cannot be read, and more. Only [Fix] changes
// anything.
//
// Each [Finding] has a code that does not change, such as D01, what was seen, what it costs,
// and what to do. The command `goresque doctor` prints them.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	// Problem means that jobs are lost, wait for nothing, or run twice, or that they will
	// after the next fault.
	Problem Severity = "problem"
	// Notice means that it may be intended.
	Notice Severity = "notice"
)

// Finding is something that is wrong or may become wrong.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	Evidence []string `json:"evidence,omitempty"` // what was seen, at most a few examples
	Count    int64    `json:"count,omitempty"`    // how many there are; 0 if that is not a number of things
	Cost     string   `json:"cost"`               // what happens if nothing is done
	Fix      string   `json:"fix"`                // what to do
	Fixable  bool     `json:"fixable"`            // whether [Fix] does it
}

// Unchecked is a check that could not be made.
type Unchecked struct {
	Codes  []string `json:"codes"`
	Reason string   `json:"reason"`
}

// Report is the result of all checks.
type Report struct {
	Findings  []Finding     `json:"findings"`
	Unchecked []Unchecked   `json:"unchecked,omitempty"`
	Server    string        `json:"server"` // such as "redis 7.0.15"; empty if Redis refused to say it
	Keys      int64         `json:"keys"`   // that were looked at
	Took      time.Duration `json:"-"`
}

// Problems returns how many findings are problems.
func (r Report) Problems() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == Problem {
			n++
		}
	}
	return n
}

// Options are the options of [Check] and [Fix].
type Options struct {
	// LockPrefix is that of the schedulers; see scheduler.Config.
	LockPrefix string

	// Silence is how long a worker that is not Go's may send no heartbeat.
	//
	// Defaults to 5 minutes, after which Ruby's workers prune it.
	Silence time.Duration

	// Keep is how long [Fix] keeps what it removes, for [resque.Client.Restore].
	//
	// Defaults to 24 hours. Nothing is kept if it is negative.
	Keep time.Duration

	// Deep reads all jobs, for what belongs to a job or a batch. Otherwise nothing is said
	// about these if there are more than 100,000 jobs.
	Deep bool

	// Limit is how many keys are looked at.
	//
	// Defaults to all.
	Limit int64

	rest func(ctx context.Context, d time.Duration) bool // waits for d; false if ctx ends first. For tests
}

// evidence is how many examples a finding has.
const evidence = 5

// checkup is one call of Check.
type checkup struct {
	client *resque.Client
	store  *store.Store
	opts   Options
	snap   resque.Snapshot
	fixes  bool // whether Fix removes what is found
	report Report
	census census
}

// Check makes all checks. It reads all keys of the namespace, some at a time, so that no
// command holds Redis up. What Redis refuses to a user without rights is in Unchecked. The
// error says why the checks could not be made at all.
func Check(ctx context.Context, client *resque.Client, opts Options) (Report, error) {
	began := time.Now()
	c, err := newCheckup(ctx, client, opts)
	if err != nil {
		return Report{}, err
	}
	for _, check := range []func(context.Context) error{
		c.server, c.keys, c.workers, c.delayed, c.schedules, c.failures, c.leftovers, c.limits, c.batches,
	} {
		if err := check(ctx); err != nil {
			return c.report, fmt.Errorf("doctor: %w", err)
		}
	}
	slices.SortStableFunc(c.report.Findings, func(a, b Finding) int { return cmp.Compare(a.Code, b.Code) })
	c.report.Took = time.Since(began)
	return c.report, nil
}

func newCheckup(ctx context.Context, client *resque.Client, opts Options) (*checkup, error) {
	opts.Silence = cmp.Or(opts.Silence, 5*time.Minute)
	opts.Keep = cmp.Or(opts.Keep, 24*time.Hour)
	c := &checkup{client: client, store: store.New(client.Redis()), opts: opts}
	var err error
	if c.snap, err = client.Snapshot(ctx); err != nil {
		return nil, fmt.Errorf("doctor: %w", err)
	}
	return c, nil
}

// list adds a finding with a line of evidence for each thing, unless there is none.
func (c *checkup) list(things []string, f Finding) {
	if len(things) > 0 {
		f.Count, f.Evidence = int64(len(things)), things
		c.add(f)
	}
}

func (c *checkup) add(f Finding) {
	if len(f.Evidence) > evidence {
		f.Evidence = f.Evidence[:evidence]
	}
	c.report.Findings = append(c.report.Findings, f)
}

// unless notes that checks could not be made, if err is a refusal of Redis, and returns any
// other error.
func (c *checkup) unless(err error, codes ...string) error {
	if err == nil || !store.Refused(err) {
		return err
	}
	c.report.Unchecked = append(c.report.Unchecked, Unchecked{codes, err.Error()})
	return nil
}
