package interop_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

var contended = flag.Int("contended", 100, "how many jobs TestOneOfManyEnqueuesWins enqueues; make soak takes more")

// contend enqueues jobs that other processes enqueue at the same time. It returns how many
// this process has enqueued.
func contend(t *testing.T, s *redistest.Server, jobs, processes int) (won int) {
	t.Helper()
	c, client := s.Conn(t), s.Client(t)
	class := resque.Define1[int]("Contended", "contended", unique.Policy{})
	for id := range jobs {
		_, err := c.Do("INCR", "resque:turn")
		require.NoError(t, err)
		for turn := 0; turn < processes*(id+1); {
			turn, err = redis.Int(c.Do("GET", "resque:turn"))
			require.NoError(t, err)
		}
		receipt, err := client.Enqueue(t.Context(), class.Job(id))
		require.NoError(t, err)
		if receipt.State == resque.Queued {
			won++
		} else {
			require.Equal(t, resque.Duplicate, receipt.State)
		}
	}
	return won
}

// TestContender is a process of TestOneOfManyEnqueuesWins.
func TestContender(t *testing.T) {
	t.Parallel()
	var jobs, processes int
	if n, _ := fmt.Sscan(os.Getenv("INTEROP_CONTEND"), &jobs, &processes); n < 2 {
		t.Skip("only another test runs it")
	}
	t.Logf("won=%d", contend(t, &redistest.Server{URL: os.Getenv("REDIS_URL")}, jobs, processes))
}

// Two Go processes and two Ruby processes with resque-lock's keys enqueue equal jobs at the same
// time. Of each, exactly one is in the queue, and one process is told so.
func TestOneOfManyEnqueuesWins(t *testing.T) {
	t.Parallel()
	s := start(t)
	const processes = 4
	environ := append(os.Environ(), "REDIS_URL="+s.URL, fmt.Sprintf("INTEROP_CONTEND=%d %d", *contended, processes))
	texts := make([]string, processes)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			cmd := exec.CommandContext(ctx, "ruby", "testdata/contend.rb", strconv.Itoa(*contended), strconv.Itoa(processes))
			if i%2 == 0 {
				cmd = exec.CommandContext(ctx, os.Args[0], "-test.run=^TestContender$", "-test.v")
			}
			cmd.Env = environ
			out, err := cmd.CombinedOutput()
			if !assert.NoError(t, err, "%s", out) {
				stop() // the others wait for it
			}
			texts[i] = string(out)
		})
	}
	all.Wait()
	won := make([]int, processes)
	sum := 0
	for i, text := range texts {
		_, after, found := strings.Cut(text, "won=")
		if !found {
			after = text
		}
		_, err := fmt.Sscan(after, &won[i])
		require.NoError(t, err, text)
		sum += won[i]
	}
	t.Logf("of %d jobs, Go, Ruby, Go and Ruby enqueued %v", *contended, won)
	assert.Equal(t, *contended, sum, "one process of each is told that it has enqueued it")
	queued := list(t, s, "resque:queue:contended")
	assert.Len(t, queued, *contended)
	seen := map[string]bool{}
	for _, payload := range queued {
		assert.False(t, seen[payload], payload)
		seen[payload] = true
	}
}
