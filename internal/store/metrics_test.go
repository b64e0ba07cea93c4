package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

func measured(durations ...time.Duration) *store.ClassMetrics {
	m := &store.ClassMetrics{}
	for i, d := range durations {
		m.Add(d, i == 0)
	}
	return m
}

func TestMetricsAddUp(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.do(t, "SET", "resque:stat:processed", 7)
		var all sync.WaitGroup
		for range 10 { // processes
			all.Go(func() {
				for range 5 {
					assert.NoError(t, f.AddMetrics(t.Context(), map[string]*store.ClassMetrics{
						"Exporter": measured(3*time.Millisecond, 90*time.Minute), "A::B C": measured(0, 100*time.Hour),
					}))
				}
			})
		}
		all.Wait()
		for _, w := range []store.MetricsWindow{store.LastHour, store.LastDay, store.LastWeek, store.LastHalfYear} {
			got, err := f.ClassMetrics(t.Context(), w)
			require.NoError(t, err)
			require.Len(t, got, 2, w)
			want := &store.ClassMetrics{Jobs: 100, Failed: 50, Total: 50 * (3*time.Millisecond + 90*time.Minute)}
			want.Buckets[2], want.Buckets[23] = 50, 50
			assert.Equal(t, want, got["Exporter"], w)
			assert.Equal(t, [2]int64{50, 50}, [2]int64{got["A::B C"].Buckets[0], got["A::B C"].Buckets[25]})

			counters, err := f.CountersIn(t.Context(), w)
			require.NoError(t, err)
			require.NotEmpty(t, counters, w)
			assert.EqualValues(t, 7, counters[len(counters)-1].Processed, w)
			assert.WithinDuration(t, time.Now(), counters[0].At, time.Hour)
		}
		keys, err := redis.Strings(f.do(t, "KEYS", "resque:goresque:metrics:*"), nil)
		require.NoError(t, err)
		for _, key := range keys {
			ttl, err := redis.Int64(f.do(t, "PTTL", key), nil)
			require.NoError(t, err)
			assert.Greater(t, ttl, int64(2*24*time.Hour/time.Millisecond), key)
		}
	})
}

// The windows reach back as far as they say.
func TestMetricsOfLongWindows(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		now, err := f.Now(t.Context())
		require.NoError(t, err)
		put := func(at time.Time, layout string) {
			f.do(t, "HSET", "resque:goresque:metrics:"+at.Format(layout), "Exporter", "1 0 5 3:1")
		}
		put(now.AddDate(0, 0, -170), "2006-01-02")
		put(now.Add(-6*24*time.Hour), "2006-01-02T15")
		put(now.Add(-20*time.Hour), "2006-01-02T15")
		put(now.Add(-30*time.Minute), "2006-01-02T15:04")
		for w, want := range map[store.MetricsWindow]int64{store.LastHour: 1, store.LastDay: 1, store.LastWeek: 2, store.LastHalfYear: 1} {
			got, err := f.ClassMetrics(t.Context(), w)
			require.NoError(t, err)
			assert.Equal(t, want, got["Exporter"].Jobs, w)
		}
		for i, at := range []time.Time{now.AddDate(0, 0, -170), now.AddDate(0, 0, -3)} {
			f.do(t, "HSET", "resque:goresque:metrics:counters:"+at.Format("2006-01"), at.Format("02"), fmt.Sprintf("%d %d 0", at.Unix(), i))
		}
		counters, err := f.CountersIn(t.Context(), store.LastHalfYear)
		require.NoError(t, err)
		require.Len(t, counters, 2)
		assert.EqualValues(t, []int64{0, 1}, []int64{counters[0].Processed, counters[1].Processed}, "the oldest first")
	})
}

// Damaged values and keys of another type do not stop anything, and the number of classes
// is limited.
func TestMetricsOfDamagedKeys(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		now, err := f.Now(t.Context())
		require.NoError(t, err)
		key := "resque:goresque:metrics:" + now.Format("2006-01-02")
		f.do(t, "HSET", key, "odd", "x y 99:1 ::", "good", "1 1 1 2:1")
		f.do(t, "SET", "resque:goresque:metrics:"+now.Format("2006-01-02T15"), "x")
		f.do(t, "SET", "resque:goresque:metrics:counters:"+now.Format("2006-01"), "x")
		f.do(t, "LPUSH", "resque:stat:processed", "x")
		many := map[string]*store.ClassMetrics{"odd": measured(0), "good": measured(0), strings.Repeat("x", 300): measured(0)}
		for i := range 400 {
			many[fmt.Sprintf("Class%d", i)] = measured(time.Second)
		}
		require.NoError(t, f.AddMetrics(t.Context(), many))
		got, err := f.ClassMetrics(t.Context(), store.LastHalfYear)
		require.NoError(t, err)
		assert.EqualValues(t, 1, got["odd"].Jobs)
		assert.EqualValues(t, 2, got["good"].Jobs)
		assert.LessOrEqual(t, len(got), 302)
		assert.Greater(t, got["(other)"].Jobs, int64(90))
		none, err := f.ClassMetrics(t.Context(), store.LastDay)
		require.NoError(t, err)
		assert.Empty(t, none, "the key is not a hash")
		counters, err := f.CountersIn(t.Context(), store.LastWeek)
		require.NoError(t, err)
		assert.Empty(t, counters)
	})
}
