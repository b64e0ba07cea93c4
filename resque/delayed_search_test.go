package resque_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// searched returns the arguments of the jobs of each part until the search ends.
func searched(t *testing.T, d *resque.Delayed, filter resque.DelayedFilter, limit int, budget time.Duration) (parts [][]string, checked int64) {
	t.Helper()
	for from := (resque.DelayedPlace{}); ; {
		part, err := d.Search(t.Context(), filter, from, limit, budget)
		require.NoError(t, err)
		checked += part.Checked
		var args []string
		for _, job := range part.Jobs {
			args = append(args, string(job.Args[0]))
		}
		parts = append(parts, args)
		if !part.More {
			return parts, checked
		}
		from = part.Next
	}
}

func TestDelayedSearchContinues(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, conn := s.Client(t), s.Conn(t)
		for i, second := range []int64{-7, 100, 100, 100, 100, 100, 200, 300} {
			_, err := conn.Do("RPUSH", "resque:delayed:"+strconv.FormatInt(second, 10), `{"class":"Mail","args":[`+strconv.Itoa(i)+`],"queue":"mail"}`)
			require.NoError(t, err)
			_, err = conn.Do("ZADD", "resque:delayed_queue_schedule", second, second)
			require.NoError(t, err)
		}
		d := client.Delayed()
		parts, checked := searched(t, d, resque.DelayedFilter{}, 3, time.Hour)
		assert.Equal(t, [][]string{{"0", "1", "2"}, {"3", "4", "5"}, {"6", "7"}}, parts)
		assert.EqualValues(t, 8, checked, "each job once")
		parts, _ = searched(t, d, resque.DelayedFilter{}, 8, time.Hour)
		assert.Equal(t, [][]string{{"0", "1", "2", "3", "4", "5", "6", "7"}}, parts)
		parts, checked = searched(t, d, resque.DelayedFilter{Args: []any{7}}, 3, 0)
		assert.Contains(t, parts, []string{"7"}, "without time, one part after the other")
		assert.EqualValues(t, 8, checked)
		parts, _ = searched(t, d, resque.DelayedFilter{Since: time.Unix(100, 0), Until: time.Unix(101, 0)}, 2, time.Hour)
		assert.Equal(t, [][]string{{"1", "2"}, {"3", "4"}, {"5"}}, parts)
		part, err := d.Search(t.Context(), resque.DelayedFilter{Since: time.Unix(200, 0)}, resque.DelayedPlace{Second: 100, Position: 1}, 9, time.Hour)
		require.NoError(t, err)
		assert.Len(t, part.Jobs, 2, "a place before the filter's times changes nothing")
		part, err = d.Search(t.Context(), resque.DelayedFilter{}, resque.DelayedPlace{Second: 300, Position: 9}, 9, time.Hour)
		require.NoError(t, err)
		assert.Empty(t, part.Jobs)
		assert.False(t, part.More)
	})
}
