package interop_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// busyWorkers are Go workers on one host. Every slot has a running job.
type busyWorkers struct {
	workers []*worker.Worker
	release []func()
}

// startBusy starts a worker for each number of slots. Several workers have the same
// host name and pid, as in two containers.
func startBusy(t *testing.T, server *redistest.Server, slots ...int) *busyWorkers {
	t.Helper()
	c := &busyWorkers{}
	for _, n := range slots {
		w, release := busyUntil(t, server, n, "exports", "mail")
		c.workers, c.release = append(c.workers, w), append(c.release, release)
	}
	return c
}

func (c *busyWorkers) ids() []string {
	var ids []string
	for _, w := range c.workers {
		ids = append(ids, w.IDs()...)
	}
	return ids
}

func (c *busyWorkers) records(t *testing.T, server *redistest.Server) []string {
	t.Helper()
	var texts []string
	for _, w := range c.workers {
		texts = append(texts, records(t, server, w)...)
	}
	return texts
}

// registerDead registers a dead Ruby worker of this host, with a running job. The next
// Ruby worker with the same queues prunes it when it starts.
func registerDead(t *testing.T, c redis.Conn, queues string) (id string) {
	t.Helper()
	host, err := os.Hostname()
	require.NoError(t, err)
	id = fmt.Sprintf("%s:999999:%s", host, queues)
	for _, words := range [][]any{
		{"SADD", "resque:workers", id},
		{"SET", "resque:worker:" + id, `{"queue":"exports","run_at":"2026-01-01T00:00:00Z","payload":{"class":"Exporter","args":[5]}}`},
	} {
		_, err := c.Do(words[0].(string), words[1:]...)
		require.NoError(t, err)
	}
	return id
}

func members(t *testing.T, c redis.Conn) []string {
	t.Helper()
	ids, err := redis.Strings(c.Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	return ids
}

// resultTable collects the lines of a table, which is logged when the test ends.
type resultTable struct {
	mu    sync.Mutex
	lines []string
}

func (b *resultTable) add(words ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, strings.Join(words, "\t"))
}

func (b *resultTable) show(t *testing.T, head ...string) {
	t.Helper()
	t.Cleanup(func() {
		slices.Sort(b.lines)
		var text strings.Builder
		w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		for _, line := range append([]string{strings.Join(head, "\t")}, b.lines...) {
			_, _ = fmt.Fprintln(w, line)
		}
		_ = w.Flush()
		t.Log("\n" + text.String())
	})
}

// When a Ruby worker starts, it prunes workers with its host name whose pid it does not
// find. Go workers' ids contain ~go so that it does not prune them.
func TestStartingRubyWorkerKeepsGoWorkers(t *testing.T) {
	t.Parallel()
	start(t) // skips the test without Ruby
	var rows resultTable
	rows.show(t, "Ruby's queues", "Go workers", "dead Ruby worker", "Go's ids", "Go's records", "Go's jobs")
	for name, queues := range map[string][]string{
		"the same queues": {"exports", "mail"},
		"some of them":    {"exports"},
		"all, by *":       {"*"},
	} {
		for has, slots := range map[string][]int{"1 slot": {1}, "4 slots": {4}, "twins of 1 slot": {1, 1}, "twins of 4 slots": {4, 4}} {
			t.Run(name+", "+has, func(t *testing.T) {
				t.Parallel()
				server := redistest.StartReal(t)
				c := server.Conn(t)
				all := startBusy(t, server, slots...)
				before, failures := all.records(t, server), len(list(t, server, "resque:failed"))
				own := "exports,mail"
				if name == "some of them" {
					own = "exports"
				}
				dead := registerDead(t, c, own)

				ruby(t, server, "boot.rb", queues...)
				require.ElementsMatch(t, all.ids(), members(t, c), "Ruby must prune only %s", dead)
				require.Equal(t, before, all.records(t, server))
				require.Len(t, list(t, server, "resque:failed"), failures+1, "only the dead worker's job must fail")
				beats, err := redis.StringMap(c.Do("HGETALL", "resque:workers:heartbeat"))
				require.NoError(t, err)
				for _, id := range all.ids() {
					require.Contains(t, beats, id)
				}
				processed, err := redis.Int(c.Do("GET", "resque:stat:processed"))
				require.NoError(t, err)
				for _, release := range all.release {
					release()
				}
				require.Eventually(t, func() bool {
					now, err := redis.Int(c.Do("GET", "resque:stat:processed"))
					return err == nil && now == processed+len(before)
				}, time.Minute, 5*time.Millisecond, "the running jobs must end and be counted")
				require.Len(t, list(t, server, "resque:failed"), failures+1)
				rows.add(name, has, "pruned", fmt.Sprintf("%d of %d kept", len(before), len(before)), "unchanged", "finished, counted once")
			})
		}
	}
}

// Ten Go workers sweep all the time while a Ruby worker starts. They must hold Ruby's
// pruning lock only while they prune.
func TestRubyPrunesWhileGoWorkersSweep(t *testing.T) {
	t.Parallel()
	for name, dead := range map[string]int{"one dead worker": 0, "ten more dead workers": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			c := server.Conn(t)
			all := &busyWorkers{}
			for range 10 {
				w := newWorker(t, server, resque.NewMux(), worker.Config{
					// If two sweeps are more than three quarters of an interval apart, the watch begins again.
					Queues: []string{"exports"}, HeartbeatInterval: 400 * time.Millisecond, PruneAfter: 2 * time.Second,
				})
				goWork(t, w)
				all.workers = append(all.workers, w)
			}
			require.Eventually(t, func() bool { return len(all.ids()) == 10 }, time.Minute, 5*time.Millisecond)
			ids := all.ids()
			own := registerDead(t, c, "exports")
			for i := range dead {
				dieWith(t, server, fmt.Sprintf("gone:%d:exports", i), fmt.Sprintf(`{"class":"Exporter","args":[%d]}`, 100+i))
			}
			ruby(t, server, "boot.rb", "exports")
			assert.NotContains(t, members(t, c), own, "Ruby did not prune: it found the lock held")
			require.Eventually(t, func() bool { return len(members(t, c)) == 10 }, time.Minute, 5*time.Millisecond)
			assert.ElementsMatch(t, ids, members(t, c))
			failed := strings.Join(list(t, server, "resque:failed"), "\n")
			assert.Equal(t, 1, strings.Count(failed, own), "its job must fail once")
			for i := range dead {
				assert.Contains(t, failed, fmt.Sprintf("gone:%d:exports", i))
			}
		})
	}
}

// dieWith registers a worker that has reserved payload and died: its record exists, and
// its heartbeat is an hour old.
func dieWith(t *testing.T, server *redistest.Server, id, payload string) {
	t.Helper()
	c, st := server.Conn(t), store.New(server.Open(t))
	_, err := st.Register(t.Context(), []string{id}, time.Now(), store.Intervals{}, true)
	require.NoError(t, err)
	queue := "of " + id
	_, err = c.Do("RPUSH", "resque:queue:"+queue, payload)
	require.NoError(t, err)
	x, err := st.Exchange(t.Context(), []string{queue}, nil, []store.Slot{{Worker: id, RunAt: wire.FormatRunAt(time.Now())}})
	require.NoError(t, err)
	require.Len(t, x.Reserved, 1)
	require.Equal(t, payload, string(x.Reserved[0].Payload))
	_, err = c.Do("HSET", "resque:workers:heartbeat", id, wire.FormatHeartbeat(time.Now().Add(-time.Hour).UTC()))
	require.NoError(t, err)
}

// A Go worker died right after it had taken a large job that Ruby cannot read, before it
// could rewrite its record. Ruby cannot prune it until a Go worker has looked for dead
// workers once.
func TestRubyPrunesAGoWorkerWithALargeUnreadablePayload(t *testing.T) {
	t.Parallel()
	server := start(t)
	host, err := os.Hostname()
	require.NoError(t, err)
	c := server.Conn(t)
	id, payload := host+"~go:999000:exports", `{"class":"Exporter","args":["`+strings.Repeat("\xff", 100_000)+`"]}`
	dieWith(t, server, id, payload)
	_, err = c.Do("SET", "resque:worker:"+id, `{"queue":"exports","run_at":"2026-01-15T12:34:56.000000001Z","payload":`+payload+"}")
	require.NoError(t, err)

	w := newWorker(t, server, resque.NewMux(), worker.Config{Queues: []string{"other"}, HeartbeatInterval: 20 * time.Millisecond})
	goWork(t, w)
	require.Eventually(t, func() bool {
		record, err := redis.Bytes(c.Do("GET", "resque:worker:"+id))
		require.NoError(t, err, "a sweep must not prune it yet")
		return json.Valid(record)
	}, time.Minute, 5*time.Millisecond)
	ruby(t, server, "boot.rb", "exports")
	require.NotContains(t, members(t, c), id)
	failed := list(t, server, "resque:failed")
	require.Len(t, failed, 1)
	require.Contains(t, failed[0], "Resque::PruneDeadWorkerDirtyExit")
	require.Contains(t, failed[0], "<unreadable>")
}

// Go workers have died with payloads that Ruby cannot read. A Ruby worker that starts
// must still read their records, prune them and write failures that Ruby can read.
func TestRubyPrunesGoWorkersWithUnreadablePayloads(t *testing.T) {
	t.Parallel()
	server := start(t)
	host, err := os.Hostname()
	require.NoError(t, err)
	ids := map[string]string{}
	for name, payload := range map[string]string{
		"NaN":             `{"class":"Exporter","args":[NaN]}`,
		"Infinity":        `{"class":"Exporter","args":[-Infinity]}`,
		"0x10":            `{"class":"Exporter","args":[0x10]}`,
		"01":              `{"class":"Exporter","args":[01]}`,
		"+1":              `{"class":"Exporter","args":[+1]}`,
		"1.":              `{"class":"Exporter","args":[1.]}`,
		"a raw newline":   "{\"class\":\"Exporter\",\"args\":[\"a\nb\"]}",
		"a raw zero byte": "{\"class\":\"Exporter\",\"args\":[\"a\x00b\"]}",
		"depth 101":       `{"class":"Exporter","args":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"depth 5000":      strings.Repeat(`[`, 5000),
		"bad UTF-8":       "{\"class\":\"Exporter\",\"args\":[\"\xff\"]}",
		"not JSON":        "rubbish",
		"empty":           "",
		"a list":          `[1]`,
		"null":            `null`,
	} {
		id := fmt.Sprintf("%s~go:%d:exports", host, 999000+len(ids))
		ids[id] = name
		dieWith(t, server, id, payload)
	}
	seen := reply[struct{ All, Expired []string }](t, ruby(t, server, "workers.rb"))
	require.Subset(t, seen.All, slices.Collect(maps.Keys(ids)))
	require.Len(t, seen.Expired, len(ids))
	ruby(t, server, "boot.rb", "exports")
	require.Empty(t, members(t, server.Conn(t)), "Ruby must prune all and unregister")
	failed := reply[struct {
		All []struct {
			Payload           struct{ Class string }
			Exception, Worker string
		}
	}](t, ruby(t, server, "failures.rb"))
	require.Len(t, failed.All, len(ids))
	var rows resultTable
	rows.show(t, "payload", "exception that Ruby records", "class")
	for _, f := range failed.All {
		require.Contains(t, ids, f.Worker)
		require.Equal(t, "Resque::PruneDeadWorkerDirtyExit", f.Exception)
		require.Equal(t, "<unreadable>", f.Payload.Class, ids[f.Worker])
		rows.add(ids[f.Worker], f.Exception, f.Payload.Class)
		delete(ids, f.Worker)
	}
}
