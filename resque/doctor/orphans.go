package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/backoff"
	"github.com/goresque/goresque/internal/store"
)

// Prefixes of keys that belong to jobs.
const (
	counterPrefix = "resque-retry:"
	failurePrefix = "failure-"
	lonerPrefix   = "loners:queue:"
)

// maxSuspects is how many keys of a kind are examined in one call.
const maxSuspects = 200_000

// soon is the time to live of a key that is not worth a finding: Ruby keeps the record of a
// failed attempt for twice the delay after it, also if the job succeeds.
const soon = 24 * time.Hour

// orphans are the keys that belong to jobs which do not exist, by code.
type orphans map[string][]store.TextKey

// leftovers checks the keys that belong to jobs.
func (c *checkup) leftovers(ctx context.Context) error {
	found, err := c.orphans(ctx)
	if err := c.unless(err, "T01", "T02", "T03", "T04"); err != nil {
		return err
	}
	c.addOrphans("T01", found, Finding{
		Severity: Notice, Title: "Counters of attempts without a job",
		Cost: "Ruby's resque-retry leaves one for each job that was canceled between two attempts. They need memory for ever, and an equal job begins with the old number.",
		Fix:  "goresque doctor --fix moves them to the trash. Set expire_retry_key_after in Ruby; goresque's counters expire.",
	})
	c.addOrphans("T02", found, Finding{
		Severity: Notice, Title: "Records of failed attempts without a counter",
		Cost: "They need memory, and no page shows them.",
		Fix:  "goresque doctor --fix moves them to the trash.",
	})
	c.addOrphans("T03", found, Finding{
		Severity: Problem, Title: "Locks of classes that have no jobs",
		Cost: "No equal job can be enqueued or performed, until the lock expires. A Ruby process that dies between the lock and the push, or while it performs the job, leaves one.",
		Fix:  "goresque doctor --fix moves them to the trash. goresque locks list --no-job shows them.",
	})
	c.addOrphans("T04", found, Finding{
		Severity: Problem, Title: "Marks of resque-loner for queues without jobs",
		Cost: "resque-loner refuses to enqueue the job, and returns true. Mostly a worker that does not know the plugin has taken the job.",
		Fix:  "goresque doctor --fix moves them to the trash.",
	})
	return nil
}

func (c *checkup) addOrphans(code string, found orphans, f Finding) {
	if len(found[code]) == 0 {
		return
	}
	f.Code, f.Count, f.Fixable = code, int64(len(found[code])), true
	for _, k := range found[code][:min(len(found[code]), evidence)] {
		f.Evidence = append(f.Evidence, k.Name)
	}
	c.add(f)
}

// orphans returns the keys that belong to jobs which do not exist. It looks twice, because a
// job may move while the jobs are read, and returns only keys that have not changed meanwhile.
// For Fix it waits in between: Ruby's plugins take a lock before they push the job.
func (c *checkup) orphans(ctx context.Context) (orphans, error) {
	if c.census.crowded {
		c.report.Unchecked = append(c.report.Unchecked, Unchecked{[]string{"T01", "T02", "T03", "T04"}, fmt.Sprintf("of each kind of key only %d were examined", maxSuspects)})
	}
	found := orphans{}
	var err error
	if found["T02"], err = c.withoutCounter(ctx); err != nil {
		return nil, err
	}
	suspects := map[string][]string{"T01": c.census.counters, "T03": c.census.locks, "T04": c.census.loners}
	for look := range 2 {
		if len(suspects["T01"])+len(suspects["T03"])+len(suspects["T04"]) == 0 {
			break
		}
		if look == 1 && c.fixes && !c.rest(ctx) {
			return nil, context.Cause(ctx)
		}
		jobs, err := c.readJobs(ctx, "T01", "T03", "T04")
		if err != nil {
			return nil, err
		}
		if jobs == nil {
			for code := range suspects { // those of the first look were not looked at twice
				delete(found, code)
			}
			break
		}
		for code, names := range suspects {
			names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return jobs.have(code, name) })
			suspects[code] = names
			if look == 0 {
				found[code], err = c.texts(ctx, names)
			} else {
				found[code] = slices.DeleteFunc(found[code], func(k store.TextKey) bool { return jobs.have(code, k.Name) })
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// texts reads keys. Those that are gone are left out.
func (c *checkup) texts(ctx context.Context, names []string) (all []store.TextKey, err error) {
	for some := range slices.Chunk(names, atOnce) {
		texts, err := c.store.Texts(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, name := range some {
			if text, ok := texts[name]; ok {
				key := store.TextKey{Name: name, Text: text}
				if queue, ok := lonerQueue(name); ok {
					key.Without = "queue:" + queue
				}
				all = append(all, key)
			}
		}
	}
	return all, nil
}

// withoutCounter returns the records of failed attempts whose counters do not exist.
func (c *checkup) withoutCounter(ctx context.Context) (all []store.TextKey, err error) {
	for some := range slices.Chunk(c.census.failures, atOnce) {
		counters := make([]string, len(some))
		for i, name := range some {
			counters[i] = strings.TrimPrefix(name, failurePrefix)
		}
		exist, err := c.store.Exist(ctx, counters)
		if err != nil {
			return nil, err
		}
		var alone []string
		for i, name := range some {
			if !exist[i] {
				alone = append(alone, name)
			}
		}
		keys, err := c.texts(ctx, alone)
		if err != nil {
			return nil, err
		}
		for i := range keys {
			keys[i].Without = strings.TrimPrefix(keys[i].Name, failurePrefix)
		}
		all = append(all, keys...)
	}
	return all, nil
}

// have reports whether there is, or may be, a job to which a key belongs.
func (j *jobs) have(code, name string) bool {
	switch code {
	case "T01":
		return j.haveCounter(strings.TrimPrefix(name, counterPrefix))
	case "T03":
		return j.haveLock(name)
	}
	queue, ok := lonerQueue(name)
	return !ok || j.queues[queue]
}

// isDigest reports whether id is one that resque-retry makes of arguments: 40 hexadecimal
// digits.
func isDigest(id string) bool {
	return len(id) == 40 && !strings.ContainsFunc(id, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

// haveCounter reports whether there may be a job for a counter. A class may make its own
// identifiers, and of such a class any job counts.
func (j *jobs) haveCounter(name string) bool {
	class, id, ok := j.of(name, ":")
	switch {
	case !ok:
		return false
	case class.unsure, id != "" && !isDigest(id):
		return true
	}
	return j.attempts[name]
}

// haveLock reports whether there may be a job for a lock. The arguments in its name may be
// only some of the job's, so any job of its class counts. The lock of a class that does not
// have the name of a Ruby class may be any text.
func (j *jobs) haveLock(name string) bool {
	for _, prefix := range []string{"queueing:resque_uniqueness:", "performing:resque_uniqueness:"} {
		if text, ok := strings.CutPrefix(name, prefix); ok {
			var job struct{ Class string }
			if json.Unmarshal([]byte(text), &job) != nil || job.Class == "" {
				return true
			}
			return j.classes[job.Class] != nil
		}
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "loner:"), "lock:")
	_, _, ok := j.of(name, "-:")
	return ok || name == "" || name[0] < 'A' || name[0] > 'Z'
}

// lonerQueue returns the queue in the name of a mark of resque-loner.
func lonerQueue(name string) (queue string, ok bool) {
	rest, ok := strings.CutPrefix(name, lonerPrefix)
	if at := strings.LastIndex(rest, ":job:"); ok && at >= 0 {
		return rest[:at], true
	}
	return "", false
}

// rest waits for Ruby, between two looks. It returns false if ctx ends first.
func (c *checkup) rest(ctx context.Context) bool {
	if c.opts.rest != nil {
		return c.opts.rest(ctx, store.LockGap)
	}
	return backoff.Sleep(ctx, store.LockGap)
}
