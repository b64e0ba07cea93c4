package resque_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestClassTimes(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		snap, err := client.Snapshot(t.Context())
		require.NoError(t, err)
		now := snap.Now
		key := "resque:goresque:metrics:" + now.Format("2006-01-02")
		_, err = s.Conn(t).Do("HSET", key, "Fast", "100 1 50 0:100", "Slow", "20 0 30000 10:10 11:10", "Odd", "")
		require.NoError(t, err)
		all, err := client.ClassTimes(t.Context(), resque.LastHalfYear)
		require.NoError(t, err)
		require.Len(t, all, 3)
		slow, fast, odd := all[0], all[1], all[2]
		assert.Equal(t, "Slow", slow.Class, "the longest total first")
		assert.Equal(t, 1024*time.Millisecond, slow.P50)
		assert.Equal(t, 1945*time.Millisecond, slow.P95.Truncate(time.Millisecond), "nine tenths of the bucket from 1,024 to 2,048 ms")
		assert.Equal(t, 1500*time.Millisecond, slow.Mean())
		assert.Equal(t, 500*time.Microsecond, fast.P50)
		assert.EqualValues(t, 1, fast.Failed)
		assert.Zero(t, odd.P95)
		assert.Zero(t, odd.Mean())

		for _, w := range []resque.Window{"", "2h"} {
			_, err = client.ClassTimes(t.Context(), w)
			require.ErrorContains(t, err, "use 1h, 24h, 7d or 180d")
			_, err = client.History(t.Context(), w)
			require.Error(t, err)
			assert.Zero(t, w.Length())
		}
	})
}

func ExampleClient_ClassTimes() {
	client, end := embeddedClient(resque.Config{})
	defer end()
	ctx := context.Background()
	if err := client.KeepCounters(ctx); err != nil { // workers with the setting Metrics do this
		panic(err)
	}
	for _, w := range resque.Windows() {
		times, err := client.ClassTimes(ctx, w)
		if err != nil {
			panic(err)
		}
		history, err := client.History(ctx, w)
		fmt.Println(w, len(times), len(history), err)
	}
	// Output:
	// 1h 0 1 <nil>
	// 24h 0 1 <nil>
	// 7d 0 1 <nil>
	// 180d 0 1 <nil>
}
