package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// minInterval is the shortest Interval, so that no setting makes a scheduler spin.
const minInterval = 50 * time.Millisecond

// Config configures a [Scheduler]. The zero value works.
type Config struct {
	// Interval is how often the master looks for due jobs, and how often the other
	// schedulers try to become master. The master also looks when the next job is due,
	// and when a job is delayed, if Redis can track keys. It is at least 50
	// milliseconds.
	//
	// Defaults to 5 seconds, as in Ruby.
	//
	// Ruby: RESQUE_SCHEDULER_INTERVAL.
	Interval time.Duration

	// LockTTL is how long the lock of the master lasts after it was last renewed. After a
	// master was killed, no jobs are moved for this time. The master renews the lock at
	// every Interval, and at least six times within LockTTL. It must be at least a second.
	//
	// Defaults to 30 seconds. Ruby's is 180 seconds, to allow for clocks that differ.
	//
	// Ruby: LOCK_TIMEOUT.
	LockTTL time.Duration

	// LockPrefix is a prefix of the lock's name. Schedulers with different prefixes are
	// masters at the same time. Jobs are still moved only once.
	//
	// Ruby: RESQUE_SCHEDULER_MASTER_LOCK_PREFIX.
	LockPrefix string

	// BatchSize is how many jobs one script moves at most, from 1 to 1000. While the script
	// runs, Redis serves no other client: for about 3 microseconds for each job, or about 10
	// if each job is due at another second. A script moves jobs of at most 250 seconds.
	//
	// Defaults to 1000. Ruby's default is 100.
	//
	// Ruby: DELAYED_REQUEUE_BATCH_SIZE.
	BatchSize int

	// Mux has the queues of classes, for delayed jobs whose payload has no queue. If it is
	// nil, such jobs fail.
	Mux *resque.Mux

	// BeforeMove, if not nil, is called before a job is moved to its queue. If it
	// returns an error, the job is delayed again for Interval, and at least for a second.
	// It may be called several times for a job. The job must not be changed.
	BeforeMove func(ctx context.Context, job *resque.Payload) error

	// Entries are recurring jobs of the program. A persistent entry (see [Set]) with the
	// same name takes precedence.
	//
	// Ruby: Resque.schedule=.
	Entries []Entry

	// Dynamic makes the master look at every Interval whether persistent entries were
	// set or removed. Otherwise it reads them when it becomes master, and at
	// [Scheduler.Reload].
	//
	// Ruby: DYNAMIC_SCHEDULE.
	Dynamic bool

	// Location is the time zone of cron lines that do not name one.
	//
	// Defaults to [time.Local], as in Ruby.
	Location *time.Location

	// Grace is how late a recurring job may be enqueued if no scheduler was running at its
	// time or Redis was away. If several times were missed, only the latest fires. If Grace
	// is negative, times that passed before a scheduler became master do not fire, as in Ruby.
	//
	// Defaults to a minute.
	Grace time.Duration

	// MondayWeeks makes the weeks of cron lines such as "0 9 * * mon%2" begin on Monday,
	// as in fugit 1.12 and later. By default they begin on Tuesday, as in older versions.
	// Use it if Ruby's schedulers have a new version.
	MondayWeeks bool

	// Env is the environment whose entries run; see [Entry.Env].
	//
	// Ruby: RAILS_ENV.
	Env string

	// OnState, if not nil, is called when this scheduler or another one becomes master. It
	// must return soon.
	OnState func(State)

	// Logger gets one line for each change of the master, and one for each job that
	// cannot be moved.
	//
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// withDefaults returns c with its defaults filled in, or an error that lists all its
// mistakes.
func (c Config) withDefaults() (Config, error) {
	var mistakes []error
	if c.Interval < 0 {
		mistakes = append(mistakes, fmt.Errorf("scheduler: Interval is %v; it must not be negative", c.Interval))
	}
	if c.LockTTL != 0 && c.LockTTL < time.Second {
		mistakes = append(mistakes, fmt.Errorf("scheduler: LockTTL is %v; it must be at least a second", c.LockTTL))
	}
	if c.BatchSize < 0 || c.BatchSize > store.MoveJobs {
		mistakes = append(mistakes, fmt.Errorf("scheduler: BatchSize is %d; it must be from 1 to %d", c.BatchSize, store.MoveJobs))
	}
	if strings.ContainsAny(c.LockPrefix, " \t\r\n") {
		mistakes = append(mistakes, fmt.Errorf("scheduler: LockPrefix %q contains white space", c.LockPrefix))
	}
	mistakes = append(mistakes, checkEntries(c.Entries)...)
	if err := errors.Join(mistakes...); err != nil {
		return c, err
	}
	c.Entries = slices.Clone(c.Entries)
	c.Location = cmp.Or(c.Location, time.Local) //nolint:gosmopolitan // as in Ruby
	c.Grace = cmp.Or(c.Grace, time.Minute)
	c.Interval = max(cmp.Or(c.Interval, 5*time.Second), minInterval)
	c.LockTTL = cmp.Or(c.LockTTL, 30*time.Second)
	c.BatchSize = cmp.Or(c.BatchSize, store.MoveJobs)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, nil
}

// poll is the longest time between two looks, which also renew the lock.
func (c Config) poll() time.Duration { return min(c.Interval, c.LockTTL/6) }
