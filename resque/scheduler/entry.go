package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/internal/cron"
	"github.com/goresque/goresque/resque"
)

// Entry is a recurring job: it is enqueued at the times that Cron names, or at intervals.
type Entry struct {
	// Name identifies the entry.
	Name string

	// Cron is a cron line in fugit's grammar: five fields, or six if it begins with
	// seconds. A time zone may follow, as in "30 6 * * mon Europe/Stockholm".
	Cron string

	// Every is an interval, at least 0.3 seconds. The first time comes one interval after a
	// scheduler first saw the entry, and each further time one interval later. Restarting
	// the scheduler does not change these times.
	//
	// Give either Cron or Every.
	Every time.Duration

	// FirstIn, if it is not 0, is counted from when a scheduler first saw the entry. With
	// Every, it is when the first time comes. With Cron, the times before it are skipped.
	FirstIn time.Duration

	// Job is enqueued each time. If the entry is in [Config.Entries], the hooks of the
	// job's definition are called each time.
	Job resque.Job

	// Description is for people.
	Description string

	// Env lists environments, separated by commas or spaces. If it is not empty, only
	// schedulers whose [Config.Env] it contains run the entry.
	//
	// Ruby: rails_env.
	Env string

	// Parameters are the arguments that a person may give when running the entry in the
	// dashboard. See [RunWith].
	Parameters []Parameter

	// read is true for an entry that was read from a file or from Redis. Such an entry may
	// have no times, and its job may have no queue: then it has the queue of queueClass.
	read       bool
	queueClass string
}

// check returns an error that lists all mistakes in an entry.
func (e Entry) check() error {
	var mistakes []error
	if e.Name == "" || !utf8.ValidString(e.Name) {
		mistakes = append(mistakes, errors.New("it needs a name in valid UTF-8"))
	}
	if e.Cron != "" && e.Every != 0 || e.Cron == "" && e.Every == 0 && !e.read {
		mistakes = append(mistakes, errors.New("it needs either Cron or Every"))
	}
	if e.Cron != "" {
		_, err := cron.Parse(e.Cron)
		mistakes = append(mistakes, err)
	}
	if e.Every != 0 {
		_, err := cron.ParseEvery(formatDuration(e.Every))
		mistakes = append(mistakes, err)
	}
	if e.FirstIn < 0 {
		mistakes = append(mistakes, fmt.Errorf("FirstIn is %v; it must not be negative", e.FirstIn))
	}
	if e.Job.Class == "" {
		mistakes = append(mistakes, errors.New("its job needs a class"))
	}
	if e.Job.Queue == "" && !e.read {
		mistakes = append(mistakes, errors.New("its job needs a queue"))
	}
	if err := errors.Join(mistakes...); err != nil {
		return fmt.Errorf("scheduler: schedule %q: %w", e.Name, err)
	}
	return nil
}

// runsIn reports whether an entry is for an environment.
//
// Ruby: Resque::Scheduler#rails_env_matches?.
func (e Entry) runsIn(env string) bool {
	list := strings.FieldsFunc(e.Env, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	return len(list) == 0 || slices.Contains(list, env)
}

// job returns the job of an entry, with the queue of its class if it has none.
func (e Entry) job(mux *resque.Mux) (resque.Job, error) {
	job := e.Job
	if job.Queue == "" && mux != nil {
		route, _ := mux.Route(e.queueClass)
		job.Queue = route.Queue
	}
	if job.Queue == "" {
		return job, fmt.Errorf("%w: the schedule has no queue, and the scheduler does not know the queue of class %q", resque.ErrNoQueue, e.queueClass)
	}
	return job, nil
}

// EveryText returns Every as resque-scheduler spells it, such as 1h30m or 1d12h; "" if it is
// zero.
func (e Entry) EveryText() string {
	if e.Every == 0 {
		return ""
	}
	return formatDuration(e.Every)
}

// formatDuration spells d as rufus-scheduler reads it, such as 1d12h or 2.5s.
func formatDuration(d time.Duration) string {
	if d%time.Second != 0 || d <= 0 {
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
	}
	var text strings.Builder
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / unit.size; n > 0 {
			fmt.Fprintf(&text, "%d%s", n, unit.name)
			d -= n * unit.size
		}
	}
	return text.String()
}

// checkEntries returns the mistakes in Config.Entries.
func checkEntries(entries []Entry) (mistakes []error) {
	seen := map[string]bool{}
	for _, e := range entries {
		if err := e.check(); err != nil {
			mistakes = append(mistakes, err)
		}
		if seen[e.Name] {
			mistakes = append(mistakes, fmt.Errorf("scheduler: two entries have the name %q", e.Name))
		}
		seen[e.Name] = true
	}
	return mistakes
}
