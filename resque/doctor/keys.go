package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/store"
)

// kind is what keys of a name are.
type kind struct {
	name   string // or its beginning, if it ends with a colon
	types  []string
	expire bool // it must expire
}

// kinds are all kinds of keys of the Resque family.
func kinds() []kind {
	return []kind{
		{name: "queues", types: []string{"set"}},
		{name: "queue:", types: []string{"list"}},
		{name: "workers", types: []string{"set"}},
		{name: "workers:heartbeat", types: []string{"hash"}},
		{name: "worker:", types: []string{"string"}},
		{name: "stat:", types: []string{"string"}},
		{name: "failed", types: []string{"list"}},
		{name: "failed_queues", types: []string{"set"}},
		{name: "pause-all-workers", types: []string{"string"}},
		{name: "pause:", types: []string{"string", "list", "set", "zset", "hash"}},
		{name: "pruning_dead_workers_in_progress", types: []string{"string"}, expire: true},
		{name: "delayed_queue_schedule", types: []string{"zset"}},
		{name: "delayed:last_enqueued_at", types: []string{"hash"}},
		{name: "delayed:", types: []string{"list"}},
		{name: "timestamps:", types: []string{"set"}},
		{name: "persistent_schedules", types: []string{"hash"}},
		{name: "schedules", types: []string{"hash"}},
		{name: "schedules_changed", types: []string{"set"}},
		{name: "resque-retry:", types: []string{"string"}},
		{name: "failure-resque-retry:", types: []string{"string"}},
		{name: "lock:", types: []string{"string"}},
		{name: "loner:lock:", types: []string{"string"}},
		{name: "loners:queue:", types: []string{"string"}},
		{name: "resque_uniqueness:", types: []string{"set"}},
		{name: "resque:recovering:queue:", types: []string{"zset"}},
		{name: "recovering:", types: []string{"set", "zset", "list"}},
		{name: "queueing:", types: []string{"string", "hash", "zset"}},
		{name: "performing:", types: []string{"string", "hash", "zset"}},
		{name: "status:", types: []string{"string"}},
		{name: "_statuses", types: []string{"zset"}},
		{name: "_kill", types: []string{"set"}},
		{name: "goresque:", types: []string{"string", "list", "set", "zset", "hash"}},
		{name: "connection_test_key", types: []string{"string"}},
	}
}

// masterLock is the end of the name of the schedulers' lock.
const masterLock = "resque_scheduler_master_lock"

// kindOf returns the kind of a key. ok is false if it is not one of Resque's.
func kindOf(all []kind, name string) (k kind, ok bool) {
	if strings.HasSuffix(name, "_failed") {
		return kind{types: []string{"list"}}, true
	}
	if strings.HasSuffix(name, masterLock) {
		return kind{types: []string{"string"}, expire: true}, true
	}
	for _, k := range all {
		if name == k.name || strings.HasSuffix(k.name, ":") && strings.HasPrefix(name, k.name) {
			return k, true
		}
	}
	return kind{}, false
}

// largeList is the length from which a list is mentioned. largePayload is the size of a
// payload at the beginning of a queue from which it is.
const (
	largeList    = 100_000
	largePayload = 1 << 20
)

// trashPrefix is what the names of the keys begin with that have what was removed.
const trashPrefix = "goresque:trash:"

// census is what the keys of a namespace are.
type census struct {
	wrong, forever, large, unlisted []string
	strange                         []store.KeyInfo // not Resque's, or of a namespace inside this one
	stranger                        int64           // more of them that were not kept
	trashes                         int64
	queues                          map[string]bool // that are in the set of queues
	nested                          []string        // what the names of keys of namespaces inside this one begin with

	whole    bool     // all keys were looked at
	delayed  []int64  // the seconds that have a list of delayed jobs
	lists    []string // the queues that have a list
	counters []string // of attempts, that do not expire
	failures []string // of the last attempts, that do not expire soon
	locks    []string
	loners   []string // marks of resque-loner that do not expire
	held     []string // hashes of the places of limits
	crowded  bool     // there are more of a kind than were kept
}

// keys looks at all keys of the namespace.
func (c *checkup) keys(ctx context.Context) error {
	if done, err := c.count(ctx); !done || err != nil {
		return err
	}
	c.addKeys(c.census)
	c.empty()
	return nil
}

// count takes the census. done is false if Redis refuses to list the keys.
func (c *checkup) count(ctx context.Context) (done bool, err error) {
	n := &c.census
	n.queues = map[string]bool{}
	for _, q := range c.snap.Queues {
		n.queues[q.Queue] = true
		if q.NextSize >= largePayload {
			n.large = append(n.large, fmt.Sprintf("the next job of queue %q has %d MB", q.Queue, q.NextSize>>20))
		}
	}
	all := kinds()
	limited := false
	others, err := c.store.Census(ctx, wanted, func(keys []store.KeyInfo) bool {
		if limited = c.opts.Limit > 0 && c.report.Keys >= c.opts.Limit; limited {
			return false
		}
		for _, k := range keys {
			n.count(all, k)
		}
		c.report.Keys += int64(len(keys))
		return true
	})
	if err != nil {
		return false, c.unless(err, "K01", "K02", "K04", "K05", "K06", "T01", "T02", "T03", "T04", "G01", "G04")
	}
	n.whole = !limited
	if limited {
		c.report.Unchecked = append(c.report.Unchecked, Unchecked{
			[]string{"K01", "K02", "K04", "K05", "K06", "T01", "T02", "T03", "T04", "G01"}, fmt.Sprintf("only %d keys were looked at", c.report.Keys),
		})
	}
	return true, c.namespaces(ctx, others)
}

// wanted returns what count needs of a key in addition to its type.
func wanted(name string) store.Wanted {
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	return store.Wanted{
		TTL:  begins(counterPrefix, failurePrefix, lonerPrefix, "pruning_") || strings.HasSuffix(name, masterLock),
		Size: begins("queue:", "failed", "delayed:", trashPrefix) || strings.HasSuffix(name, "_failed"),
	}
}

func (n *census) count(all []kind, k store.KeyInfo) {
	kind, known := kindOf(all, k.Name)
	switch {
	case k.Type == "none" || k.NameSize > int64(len(k.Name)): // it is gone, or its name is long
		return
	case !known:
		if len(n.strange) < maxSuspects {
			n.strange = append(n.strange, k)
		} else {
			n.stranger++
		}
		return
	case !slices.Contains(kind.types, k.Type):
		n.wrong = append(n.wrong, fmt.Sprintf("%s is a %s and should be a %s", k.Name, k.Type, strings.Join(kind.types, " ")))
		return
	}
	if kind.expire && k.TTL == 0 {
		n.forever = append(n.forever, k.Name)
	}
	if k.Type == "list" && k.Size >= largeList && !strings.HasPrefix(k.Name, trashPrefix) { // for the trash there is G04
		n.large = append(n.large, fmt.Sprintf("%s has %d entries", k.Name, k.Size))
	}
	if queue, ok := strings.CutPrefix(k.Name, "queue:"); ok {
		n.lists = append(n.lists, queue)
		if !n.queues[queue] {
			n.unlisted = append(n.unlisted, fmt.Sprintf("queue %q has %d jobs", queue, k.Size))
		}
	}
	if second, ok := store.DelayedSecondOf(k.Name); ok {
		n.delayed = append(n.delayed, second)
	}
	n.suspect(k)
}

// suspect keeps the names of keys that are examined later.
func (n *census) suspect(k store.KeyInfo) {
	keep := func(names *[]string, really bool) {
		switch {
		case !really:
		case len(*names) >= maxSuspects:
			n.crowded = true
		default:
			*names = append(*names, k.Name)
		}
	}
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(k.Name, p) })
	}
	switch {
	case begins(trashPrefix):
		n.trashes += k.Size
	case begins(heldPrefix):
		keep(&n.held, true)
	case begins(counterPrefix):
		keep(&n.counters, k.TTL == 0)
	case begins(failurePrefix):
		keep(&n.failures, k.TTL == 0 || k.TTL > soon)
	case begins("lock:", "loner:lock:", "queueing:resque_uniqueness:", "performing:resque_uniqueness:"):
		keep(&n.locks, k.Type == "string")
	case begins(lonerPrefix):
		keep(&n.loners, k.TTL == 0)
	}
}

// strangers returns the keys that are not Resque's, without those of other namespaces.
func (n *census) strangers() (all []string) {
	for _, k := range n.strange {
		if !slices.ContainsFunc(n.nested, func(prefix string) bool { return strings.HasPrefix(k.Name, prefix) }) {
			all = append(all, fmt.Sprintf("%s (%s)", k.Name, k.Type))
		}
	}
	return all
}

func (c *checkup) addKeys(n census) {
	c.list(n.unlisted, Finding{
		Code: "K02", Severity: Problem, Title: "Queues that are not in the set of queues",
		Cost: "A worker of * does not see them, and neither do the dashboards. Their jobs wait until a worker names the queue.",
		Fix:  "goresque doctor --fix adds them to the set.", Fixable: true,
	})
	c.list(n.wrong, Finding{
		Code: "K04", Severity: Problem, Title: "Keys of the wrong type",
		Cost: "Commands on them fail. A queue of another type counts as empty.",
		Fix:  "Another program uses the same names. Give it another namespace, and rename or remove the keys.",
	})
	c.list(n.strangers(), Finding{
		Code: "K05", Severity: Notice, Title: "Keys that are not Resque's",
		Cost: "None, unless their names will be those of a queue or a plugin.",
		Fix:  "Nothing, if your programs use this namespace on purpose.",
	})
	if n.stranger > 0 {
		c.report.Unchecked = append(c.report.Unchecked, Unchecked{
			[]string{"K05"}, fmt.Sprintf("of the keys that are not Resque's only %d were examined, and %d more were seen", maxSuspects, n.stranger),
		})
	}
	c.list(n.large, Finding{
		Code: "K06", Severity: Notice, Title: "Long lists and large jobs",
		Cost: "They need memory. Jobs of several MB hold Redis up for as long as it copies them.",
		Fix:  "Add workers, remove old failures, or enqueue an id in place of the data.",
	})
	c.list(n.forever, Finding{
		Code: "D02", Severity: Problem, Title: "A lock that does not expire",
		Cost: "If the process that holds it is gone, no other one takes over: no delayed job is moved, or no dead worker is pruned.",
		Fix:  "Make sure that no process holds it, then DEL the key. Old versions of resque-scheduler write such locks.",
	})
	if n.trashes >= largeList {
		c.add(Finding{
			Code: "G04", Severity: Notice, Title: "Many removed entries that can be restored", Count: n.trashes,
			Cost: "They need memory for a day.",
			Fix:  "Nothing: they are deleted after that time. The dashboard's page Recently removed lists them.",
		})
	}
}
