package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// maxJobs is how many jobs are read without Options.Deep. atOnce is how many jobs or keys
// one round trip reads.
const (
	maxJobs = 100_000
	atOnce  = 500
)

// jobs is what is known about all jobs that wait in queues, are delayed or run.
type jobs struct {
	classes map[string]*class // by name
	members map[string]int64  // how many members of a batch there are, by its id
	queues  map[string]bool   // the queues that jobs wait in or are delayed for

	// attempts are the names of counters of attempts, without their prefix, that the caller
	// asks about. They are true for those of a job.
	attempts map[string]bool

	store *store.Store
	read  int64
	limit int64 // 0 means none
}

// class is what is known about the jobs of a class.
type class struct {
	// unsure means that Ruby may make other identifiers of the arguments: a job may have a
	// hash, which versions of Ruby write differently.
	unsure bool
}

// readJobs reads all jobs. It returns nil, and notes that codes are not checked, if there
// are too many, or one cannot be read.
//
// A job goes from the delayed jobs to a queue and from there to a worker. They are read in
// this order, and a queue from its end, so that a job that moves meanwhile is seen. A job
// that is delayed again after it has failed may be missed: its counter changes then.
func (c *checkup) readJobs(ctx context.Context, codes ...string) (*jobs, error) {
	j := &jobs{store: c.store, classes: map[string]*class{}, members: map[string]int64{}, queues: map[string]bool{}, attempts: map[string]bool{}, limit: maxJobs}
	for _, name := range c.census.counters {
		j.attempts[strings.TrimPrefix(name, counterPrefix)] = false
	}
	if c.opts.Deep {
		j.limit = 0
	}
	for job, err := range c.client.Delayed().Jobs(ctx, resque.DelayedFilter{}) {
		if err != nil {
			return nil, err
		}
		j.add(job.Queue, job.Raw)
		if j.full() {
			break
		}
	}
	queues, err := c.store.Queues(ctx) // also those that got their first job after the census
	if err != nil {
		return nil, err
	}
	queues = append(queues, c.census.lists...)
	slices.Sort(queues)
	for _, queue := range slices.Compact(queues) {
		if j.full() {
			break
		}
		err := c.readQueue(ctx, j, queue)
		if store.Refused(err) && !slices.Contains(c.census.lists, queue) { // mostly it is not a list
			c.report.Unchecked = append(c.report.Unchecked, Unchecked{codes, err.Error()})
			return nil, nil //nolint:nilnil // documented
		}
		if err != nil {
			return nil, err
		}
	}
	if j.full() {
		c.report.Unchecked = append(c.report.Unchecked, Unchecked{codes, fmt.Sprintf("there are more than %d jobs; --deep reads all", j.limit)})
		return nil, nil //nolint:nilnil // documented
	}
	snap, err := c.client.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range snap.Workers {
		if w.Job != nil && !j.addRunning(w) {
			c.report.Unchecked = append(c.report.Unchecked, Unchecked{codes, fmt.Sprintf("the job of the worker %q cannot be read", w.ID)})
			return nil, nil //nolint:nilnil // documented
		}
	}
	return j, nil
}

func (c *checkup) readQueue(ctx context.Context, j *jobs, queue string) error {
	for end := int64(1) << 40; end > 0; {
		part, err := c.store.QueuePartBefore(ctx, queue, end, atOnce)
		if err != nil || len(part) == 0 {
			return err
		}
		for _, e := range part {
			j.add(queue, e.Raw)
		}
		if j.full() {
			return nil
		}
		end = part[len(part)-1].Position
	}
	return nil
}

func (j *jobs) full() bool { return j.limit > 0 && j.read > j.limit }

// add notes a job.
func (j *jobs) add(queue string, raw []byte) {
	j.read++
	j.queues[queue] = true
	if m, ok := policy.MarkOf(raw); ok {
		j.members[m.ID]++
	}
	job, err := resque.ParsePayload(queue, raw)
	if err != nil {
		return
	}
	j.addClass(job.Class, job.Args)
	if len(job.Args) == 1 { // a Rails job, or another one with a description of a job
		var inside struct {
			JobClass  string            `json:"job_class"`
			Arguments []json.RawMessage `json:"arguments"`
		}
		if json.Unmarshal(job.Args[0], &inside) == nil && inside.JobClass != "" {
			j.addClass(inside.JobClass, inside.Arguments)
		}
	}
}

// addRunning notes the job of a worker. It returns false if it is not known what job it is,
// because its record is damaged, or because only the beginning of a large one was read.
func (j *jobs) addRunning(w resque.RegisteredWorker) bool {
	if w.Damage != nil || w.JobSize > int64(len(w.Job.Raw)) {
		return false
	}
	j.add(w.Job.Queue, w.Job.Raw)
	return true
}

func (j *jobs) addClass(name string, args []json.RawMessage) {
	known := j.classes[name]
	if known == nil {
		known = &class{}
		j.classes[name] = known
	}
	if len(j.attempts) == 0 {
		return
	}
	known.unsure = known.unsure || slices.ContainsFunc(args, func(arg json.RawMessage) bool { return bytes.ContainsRune(arg, '{') })
	key := name
	if id := j.store.RetryID(args); id != "" {
		key += ":" + id
	}
	if _, asked := j.attempts[key]; asked {
		j.attempts[key] = true
	}
}

// of returns the class, of those that have jobs, of which name is the name, or begins with
// the name and one of the separators, and what follows. ok is false if there is none.
func (j *jobs) of(name, separators string) (found *class, rest string, ok bool) {
	longest := -1
	for class, known := range j.classes {
		after, begins := strings.CutPrefix(name, class)
		if !begins || len(class) <= longest || after != "" && !strings.ContainsRune(separators, rune(after[0])) || strings.HasPrefix(after, "::") {
			continue
		}
		longest, found, rest, ok = len(class), known, after[min(len(after), 1):], true
	}
	return found, rest, ok
}
