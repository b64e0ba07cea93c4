package scheduler_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/resque/status"
)

// Each job of a recurring entry has a new id and status, if its class has them: also with
// hooks, of an entry that Ruby has stored with the options alone, and if it is run by hand.
func TestRecurringJobsHaveStatusesOfTheirOwn(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		ctx, c := t.Context(), s.Conn(t)
		plain := status.Define[map[string]int]("Plain", "q")
		hooked := status.Define[map[string]int]("Hooked", "q", resque.AfterEnqueue(func(context.Context, resque.Job) error { return nil }))
		stored := status.Define[map[string]int]("Stored", "q")
		mux := resque.NewMux()
		mux.Handle(stored.Handler(func(context.Context, *status.Progress, map[string]int) error { return nil }))
		f := newScheduleFixture(t, s, scheduler.Config{Location: time.UTC, Mux: mux, Dynamic: true, Entries: []scheduler.Entry{
			{Name: "plain", Every: time.Minute, Job: plain.Job(map[string]int{"n": 1})},
			{Name: "hooked", Every: time.Minute, Job: hooked.Job(map[string]int{"n": 1})},
		}})
		for name, config := range map[string]string{
			"stored":  `{"every":"1m","class":"Stored","queue":"q","args":{"n":1}}`,
			"no args": `{"every":"1m","class":"Other","custom_job_class":"Stored","queue":"q"}`,
		} {
			f.c.do(t, "HSET", "resque:persistent_schedules", name, config)
		}
		f.runUntil(t, noon(), noon().Add(2*time.Minute+time.Second))
		f.runUntil(t, noon().Add(2*time.Minute+time.Second), noon().Add(3*time.Minute+time.Second))
		_, err := scheduler.RunNow(ctx, s.Client(t).WithJobs(mux), "stored")
		require.NoError(t, err)

		texts, err := redis.Strings(c.Do("LRANGE", "resque:queue:q", 0, -1))
		require.NoError(t, err)
		ids, jobs := map[string]bool{}, map[string]int{}
		for _, text := range texts {
			var job struct {
				Class string
				Args  []json.RawMessage
			}
			require.NoError(t, json.Unmarshal([]byte(text), &job))
			require.Len(t, job.Args, 2, text)
			var id string
			require.NoError(t, json.Unmarshal(job.Args[0], &id))
			ids[id] = true
			jobs[job.Class+" "+string(job.Args[1])]++
			_, ok, err := status.Get(ctx, s.Client(t), id)
			require.NoError(t, err)
			assert.True(t, ok, text)
		}
		assert.Len(t, ids, len(texts), "jobs share an id")
		fired := jobs[`Plain {"n":1}`]
		assert.GreaterOrEqual(t, fired, 2)
		assert.Equal(t, map[string]int{`Plain {"n":1}`: fired, `Hooked {"n":1}`: fired, `Stored {"n":1}`: fired + 1, `Stored {}`: fired}, jobs)
	})
}
