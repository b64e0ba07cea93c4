package limit_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/doctor"
	"github.com/goresque/goresque/resque/limit"
)

// The place of a dead worker's job goes to a job that waits for it, in the step in which the
// worker is pruned or the place is freed.
func TestPlaceOfADeadWorkerBringsBackAJob(t *testing.T) {
	t.Parallel()
	const dead = "gone~go:1:q"
	for name, end := range map[string]func(t *testing.T, f fixture){
		"the job fails": func(t *testing.T, f fixture) {
			t.Helper()
			_, err := f.client.Prune(t.Context(), dead, resque.PruneOptions{Handler: f.mux, Force: true})
			require.NoError(t, err)
			assert.Equal(t, 1, f.number(t, "LLEN", "resque:failed"))
		},
		"the job is requeued": func(t *testing.T, f fixture) {
			t.Helper()
			pruned, err := f.client.Prune(t.Context(), dead, resque.PruneOptions{Handler: f.mux, Force: true, CrashLimit: 3})
			require.NoError(t, err)
			assert.True(t, pruned.Requeued)
			job, err := redis.String(f.redis.Do("LINDEX", "resque:queue:q", 1))
			require.NoError(t, err)
			assert.Contains(t, job, `["k",0]`)
			f.number(t, "LREM", "resque:queue:q", 1, job)
		},
		"doctor frees the place": func(t *testing.T, f fixture) {
			t.Helper()
			require.Equal(t, 1, f.number(t, "DEL", "resque:worker:"+dead))
			_, err := doctor.Fix(t.Context(), f.client, doctor.Options{})
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Both(t, func(t *testing.T, s *redistest.Server) {
				f := newFixture(t, s)
				def := resque.Define2[string, int]("Keyed", "q", limit.Policy{Concurrency: 1, By: limit.Arg(1)})
				f.mux.Handle(def.Handler(func(context.Context, string, int) error { return nil }))
				const guard = `{"queue":"q","run_at":"2026-01-01T00:00:00.000000001Z",`
				for _, command := range [][]any{
					{"SADD", "resque:workers", dead},
					{"SET", "resque:worker:" + dead, guard + `"payload":{"class":"Keyed","args":["k",0]}}`},
					{"HSET", `resque:goresque:held:c:Keyed:"k"`, dead, guard[:len(guard)-1]},
				} {
					_, err := f.redis.Do(command[0].(string), command[1:]...)
					require.NoError(t, err)
				}
				for id := range 2 {
					_, err := f.client.Enqueue(t.Context(), def.Job("k", id+1))
					require.NoError(t, err)
				}
				f.work(t, 1)
				require.Equal(t, 2, f.number(t, "LLEN", `resque:goresque:parked:c:Keyed:"k"`), "both jobs wait")

				end(t, f)
				waiting, err := redis.Strings(f.redis.Do("LRANGE", "resque:queue:q", 0, -1))
				require.NoError(t, err)
				assert.Equal(t, []string{fmt.Sprintf(`{"class":"Keyed","args":["k",%d]}`, 1)}, waiting, "the first of them is back")
				assert.Equal(t, 1, f.number(t, "LLEN", `resque:goresque:parked:c:Keyed:"k"`))
				f.requireNothingHeld(t)
			})
		})
	}
}
