package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// labelled runs fn in a new goroutine. The function goroutines finds that goroutine, and
// those that it starts, by name, because other tests run at the same time.
func labelled(name string, fn func()) {
	go pprof.Do(context.Background(), pprof.Labels("of", name), func(context.Context) { fn() })
}

// goroutines counts those that labelled has started under name, and shows them.
func goroutines(t *testing.T, name string) (count int, stacks string) {
	t.Helper()
	var all bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
	var found []string
	label := fmt.Sprintf("# labels: {%q:%q}\n", "of", name)
	for group := range strings.SplitSeq(all.String(), "\n\n") {
		if !strings.Contains(group, label) {
			continue
		}
		n := 0
		_, err := fmt.Sscanf(group[strings.LastIndex("\n"+group[:strings.Index(group, " @ ")], "\n"):], "%d @", &n)
		require.NoError(t, err, group)
		count += n
		found = append(found, group)
	}
	return count, strings.Join(found, "\n\n")
}

// requireGoroutines waits until there are as many goroutines of a name as wanted.
func requireGoroutines(t *testing.T, name string, want int) {
	t.Helper()
	var (
		got    int
		stacks string
	)
	defer func() {
		if got != want {
			t.Logf("%d goroutines, not %d:\n%s", got, want, stacks)
		}
	}()
	eventually(t, func() bool {
		got, stacks = goroutines(t, name)
		return got == want
	}, "goroutines come or go")
}

// atRest waits until a worker waits for a push and makes no other call to Redis, and
// returns the number of its goroutines.
func atRest(t *testing.T, name string) (count int) {
	t.Helper()
	eventually(t, func() bool {
		n, stacks := goroutines(t, name)
		count = n
		return strings.Contains(stacks, ".(*Watch).hear") && !strings.Contains(stacks, "internal/store.(*Store)")
	}, "the worker does not come to rest")
	return count
}

// clients returns the connections of a server, except the one that asks.
type clients struct{ all, tracking, blocked, present int }

func census(t *testing.T, s *redistest.Server) clients {
	t.Helper()
	c, err := redis.DialURLContext(t.Context(), s.URL)
	require.NoError(t, err)
	defer c.Close()
	id, err := redis.Int(c.Do("CLIENT", "ID"))
	require.NoError(t, err)
	list, err := redis.String(c.Do("CLIENT", "LIST"))
	require.NoError(t, err)
	var n clients
	for line := range strings.Lines(list) {
		if strings.HasPrefix(line, fmt.Sprintf("id=%d ", id)) {
			continue
		}
		n.all++
		for word := range strings.FieldsSeq(line) {
			switch name, value, _ := strings.Cut(word, "="); {
			case name == "flags" && strings.Contains(value, "t"):
				n.tracking++
			case name == "flags" && strings.Contains(value, "b"):
				n.blocked++
			case name == "name" && strings.HasPrefix(value, "goresque:"):
				n.present++
			}
		}
	}
	return n
}

func TestGoroutinesAreCounted(t *testing.T) {
	t.Parallel()
	end, begun := make(chan struct{}), make(chan struct{})
	labelled(t.Name(), func() {
		go func() { <-end }()
		close(begun)
		<-end
	})
	<-begun
	requireGoroutines(t, t.Name(), 2)
	close(end)
	requireGoroutines(t, t.Name(), 0)
}
