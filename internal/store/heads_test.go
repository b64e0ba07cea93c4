package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// A snapshot finds the next jobs of all queues, also if they are large and many. Redis copies
// each of them whole, so no command reads more than a few, and none reads many queues.
func TestSnapshotReadsTheNextJobsInParts(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		const large, queues = 20, 1200
		for i := range queues {
			job := fmt.Sprintf(`{"class":"A","args":[%d]}`, i)
			if i < large {
				job = fmt.Sprintf(`{"class":"A","args":[%d,"%s"]}`, i, strings.Repeat("x", 1<<20))
			}
			f.push(t, fmt.Sprintf("q%04d", i), job)
		}
		stop := func() [][]string { return nil }
		if f.server.Real {
			stop = f.server.Monitor(t)
		}
		snap, err := f.Snapshot(t.Context())
		require.NoError(t, err)
		require.Len(t, snap.Queues, queues)
		for i, q := range snap.Queues {
			assert.True(t, strings.HasPrefix(string(q.Head.Raw), fmt.Sprintf(`{"class":"A","args":[%d`, i)), q.Name)
			assert.Equal(t, i < large, q.Head.Size > 1<<20, q.Name)
		}
		commands, read, copied := 0, 0, 0
		for _, words := range stop() {
			switch words[0] {
			case "eval":
				commands, read, copied = commands+1, 0, 0
			case "lindex":
				if read++; words[1] < fmt.Sprintf("resque:queue:q%04d", large) {
					copied++
				}
			}
			assert.LessOrEqual(t, read, 500, "queues in a command")
			assert.LessOrEqual(t, copied, 2, "jobs of 1 MB in a command")
		}
		assert.Equal(t, f.server.Real, commands > 3)
	})
}

// The bytes that Redis copies for a snapshot are limited.
func TestSnapshotLeavesOutJobsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		for i := range 12 {
			f.push(t, fmt.Sprintf("q%02d", i), `{"class":"A","args":["`+strings.Repeat("x", 4<<20)+`"]}`)
		}
		snap, err := f.Snapshot(t.Context())
		require.NoError(t, err)
		known := 0
		for _, q := range snap.Queues {
			assert.EqualValues(t, 1, q.Size)
			if q.Head.Size > 0 {
				known++
			}
		}
		assert.Equal(t, 8, known, "of 4 MB each")
	})
}

// An empty text, which another program has pushed, has no bytes to read. It does not make the
// snapshot look again.
func TestSnapshotReadsAnEmptyJobOnce(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	f := newFixture(t, s)
	f.push(t, "q", "")
	stop := s.Monitor(t)
	snap, err := f.Snapshot(t.Context())
	require.NoError(t, err)
	require.Len(t, snap.Queues, 1)
	assert.EqualValues(t, 1, snap.Queues[0].Size)
	reads := 0
	for _, words := range stop() {
		if words[0] == "lindex" {
			reads++
		}
	}
	assert.Equal(t, 1, reads)
}
