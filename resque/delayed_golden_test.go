package resque_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// differences are the recordings of resque-scheduler's delayed jobs that Go does not
// repeat, and why. All others have the same keys and results.
func differences() map[string]string {
	return map[string]string{
		"enqueue_at_datetime":          "a time is a time.Time, so that there is no type that fails",
		"enqueue_in_not_numeric":       "a duration is a time.Duration, so that there is no type that fails",
		"enqueue_at_past_custom":       "Go has no class method scheduled that enqueues another class",
		"delayed_timestamp_peek_zero":  "no jobs are asked for, so that none are returned; Ruby returns all",
		"next_item_for_timestamp":      "only a scheduler takes jobs; it does so in package scheduler",
		"next_item_for_timestamp_last": "only a scheduler takes jobs; it does so in package scheduler",
		"next_item_for_timestamp_none": "only a scheduler takes jobs; it does so in package scheduler",
		"last_enqueued_at":             "belongs to recurring jobs, see package scheduler",
		"reset_delayed_queue":          "returns the number of jobs; Ruby returns 1",
	}
}

// replay calls Go's counterpart of a recorded call. now is the time of the recording on
// the server's clock.
type replay struct {
	*resque.Client
	ctx context.Context
	now time.Time
	due time.Time // of a receipt, if its second depends on a fraction of the clock's
}

func (r *replay) after(seconds int) time.Time {
	return r.now.Add(time.Duration(seconds) * time.Second)
}

// recorded moves a time of a recording to the server's clock.
func (r *replay) recorded(unix int64) time.Time { return r.after(int(unix - recordedNow)) }

const recordedNow = 1768480496

func mail(args ...any) resque.Job { return resque.Job{Queue: "mail", Class: "Mail", Args: args} }

func ruby(receipt resque.Receipt, err error) (any, error) {
	if receipt.State == resque.Vetoed {
		return nil, err
	}
	return receipt.Enqueued(), err
}

func (r *replay) enqueue(job resque.Job) (any, error) { return ruby(r.Enqueue(r.ctx, job)) }

func (r *replay) in(d time.Duration, job resque.Job) (any, error) {
	receipt, err := r.EnqueueIn(r.ctx, d, job)
	r.due = receipt.Due
	return ruby(receipt, err)
}

func (r *replay) remove(filter resque.DelayedFilter) (any, error) {
	p, err := r.Delayed().RemoveAll(r.ctx, resque.RemoveOptions{}, filter, nil)
	return p.Done, err
}

func (r *replay) second(seconds int, filter resque.DelayedFilter) resque.DelayedFilter {
	filter.Since, filter.Until = r.after(seconds), r.after(seconds+1)
	return filter
}

func (r *replay) page(seconds int, first, count int64) (any, error) {
	jobs, err := r.Delayed().Page(r.ctx, r.after(seconds), first, count)
	found := []json.RawMessage{}
	for _, job := range jobs {
		found = append(found, job.Raw)
	}
	return found, err
}

func (r *replay) hooked(vetoes bool) (*resque.Job, resque.Definition2[int, int]) {
	var seen resque.Job
	return &seen, resque.Define2[int, int]("Hooked", "hooked",
		resque.BeforeEnqueue(func(_ context.Context, job resque.Job) (bool, error) {
			seen = job
			return !vetoes, nil
		}))
}

//nolint:funlen // a table
func (r *replay) calls() map[string]func() (any, error) {
	kwargs := struct {
		To string  `json:"to"`
		CC *string `json:"cc"`
	}{To: "x"}
	a := struct {
		A int `json:"a"`
	}{3}
	noQueue := resque.Job{Class: "NoQueue", Args: []any{1}}
	return map[string]func() (any, error){
		"enqueue_at":          func() (any, error) { return ruby(r.EnqueueAt(r.ctx, r.after(300), mail(1, "two", a))) },
		"enqueue_at_fraction": func() (any, error) { return r.enqueue(mail().At(r.recorded(1768480999).Add(999 * time.Millisecond))) },
		"enqueue_at_integer":  func() (any, error) { return r.enqueue(mail(nil).At(r.recorded(1768481000))) },
		"enqueue_at_float": func() (any, error) {
			return r.enqueue(mail(1.0).At(r.recorded(1768481000).Add(750 * time.Millisecond)))
		},
		"enqueue_at_string":                func() (any, error) { return r.enqueue(mail().At(r.recorded(1768481000))) },
		"enqueue_in":                       func() (any, error) { return r.in(time.Minute, mail(7)) },
		"enqueue_in_float":                 func() (any, error) { return r.in(1300*time.Millisecond, mail(7)) },
		"enqueue_in_subsecond_same_second": func() (any, error) { return r.in(0, mail(7)) },
		"enqueue_at_now":                   func() (any, error) { return r.enqueue(mail(1).At(r.now)) },
		"enqueue_at_past":                  func() (any, error) { return r.enqueue(mail(1).At(r.after(-86400))) },
		"enqueue_at_queue_method": func() (any, error) {
			return r.enqueue(resque.Define1[int]("Report", "reports").Job(1).At(r.after(300)))
		},
		"enqueue_at_noqueue":           func() (any, error) { return r.enqueue(noQueue.At(r.after(300))) },
		"enqueue_at_with_queue":        func() (any, error) { return r.enqueue(noQueue.To("urgent").At(r.after(300))) },
		"enqueue_at_with_queue_symbol": func() (any, error) { return r.enqueue(mail().At(r.after(300)).To("urgent")) },
		"enqueue_at_with_queue_class_string": func() (any, error) {
			return r.enqueue(resque.Job{Queue: "urgent", Class: "Elsewhere::Job", Args: []any{1}}.At(r.after(300)))
		},
		"enqueue_in_with_queue": func() (any, error) { return r.in(time.Minute, noQueue.To("urgent")) },
		"enqueue_at_kwargs":     func() (any, error) { return r.enqueue(mail(1, kwargs).At(r.after(300))) },
		"enqueue_at_unicode": func() (any, error) {
			return r.enqueue(mail("naïve ☃ \"q\" a b", "\u2028</script>").At(r.after(300)))
		},
		"enqueue_at_dup":            func() (any, error) { return r.enqueue(mail(1).At(r.after(300))) },
		"enqueue_at_dup_other_time": func() (any, error) { return r.enqueue(mail(1).At(r.after(600))) },
		"enqueue_at_inline": func() (any, error) {
			inline, err := resque.New(r.Redis(), resque.Config{Inline: resque.HandlerFunc(func(context.Context, *resque.Payload) error { return nil })})
			if err != nil {
				return nil, err
			}
			return ruby(inline.EnqueueAt(r.ctx, r.after(300), mail(1)))
		},
		"hooks_schedule": func() (any, error) {
			seen, hooked := r.hooked(false)
			result, err := r.enqueue(hooked.Job(1, 2).At(r.after(300)))
			if seen.Class != "Hooked" {
				err = errors.New("the hook was not called")
			}
			return result, err
		},
		"hooks_schedule_past": func() (any, error) {
			_, hooked := r.hooked(false)
			return r.enqueue(hooked.Job(1, 2).At(r.after(-1)))
		},
		"hooks_schedule_denied": func() (any, error) {
			_, hooked := r.hooked(true)
			return r.enqueue(hooked.Job(1, 2).At(r.after(300)))
		},
		"remove_delayed":          func() (any, error) { return r.RemoveDelayed(r.ctx, mail(1)) },
		"remove_delayed_last":     func() (any, error) { return r.RemoveDelayed(r.ctx, mail(1)) },
		"remove_delayed_none":     func() (any, error) { return r.RemoveDelayed(r.ctx, mail("nope")) },
		"remove_delayed_in_queue": func() (any, error) { return r.RemoveDelayed(r.ctx, mail(1).To("other")) },
		"remove_delayed_job_from_timestamp": func() (any, error) {
			return r.remove(r.second(300, resque.DelayedFilter{Class: "Mail", Args: []any{1}}))
		},
		"remove_delayed_job_from_timestamp_last": func() (any, error) {
			return r.remove(r.second(300, resque.DelayedFilter{Class: "Mail", Args: []any{1}}))
		},
		"remove_delayed_selection": func() (any, error) { return r.remove(resque.DelayedFilter{Args: []any{1}}) },
		"remove_delayed_selection_class": func() (any, error) {
			return r.remove(resque.DelayedFilter{Class: "Report", Args: []any{map[string]int{"id": 9}}})
		},
		"remove_delayed_selection_noblock": func() (any, error) { return r.remove(resque.DelayedFilter{}) },
		"find_delayed_selection": func() (any, error) {
			found := []string{}
			for job, err := range r.Delayed().Jobs(r.ctx, resque.DelayedFilter{}) {
				if err != nil {
					return nil, err
				}
				found = append(found, string(job.Raw))
			}
			return found, nil
		},
		"enqueue_delayed":            func() (any, error) { return r.EnqueueDelayed(r.ctx, mail(1)) },
		"enqueue_delayed_with_queue": func() (any, error) { return r.EnqueueDelayed(r.ctx, mail(1).To("other")) },
		"enqueue_delayed_selection": func() (any, error) {
			p, err := r.Delayed().RunAll(r.ctx, resque.DelayedFilter{Args: []any{map[string]int{"id": 9}}}, nil)
			return p.Done, err
		},
		"delay_or_enqueue_at_existing": func() (any, error) { return r.DelayOrEnqueueAt(r.ctx, r.after(900), mail(1)) },
		"delay_or_enqueue_at_new":      func() (any, error) { return r.DelayOrEnqueueAt(r.ctx, r.after(900), mail(1)) },
		"delay_or_enqueue_in": func() (any, error) {
			n, err := r.DelayOrEnqueueIn(r.ctx, 900*time.Second, mail(1))
			if err != nil {
				return nil, err
			}
			times, err := r.ScheduledAt(r.ctx, mail(1))
			r.due = times[0]
			return n, err
		},
		"delayed_queue_peek": func() (any, error) {
			seconds, _, err := r.Delayed().Seconds(r.ctx, 0, 20)
			unix := []int64{}
			for _, s := range seconds {
				unix = append(unix, s.Due.Unix())
			}
			return unix, err
		},
		"delayed_queue_schedule_size": func() (any, error) {
			_, total, err := r.Delayed().Seconds(r.ctx, 0, 0)
			return total, err
		},
		"delayed_timestamp_size": func() (any, error) {
			return r.Delayed().Count(r.ctx, r.second(300, resque.DelayedFilter{}))
		},
		"delayed_timestamp_peek":          func() (any, error) { return r.page(300, 0, 10) },
		"delayed_timestamp_peek_one":      func() (any, error) { return r.page(300, 1, 1) },
		"delayed_timestamp_peek_one_none": func() (any, error) { return r.page(300, 100, 1) },
		"count_all_scheduled_jobs":        func() (any, error) { return r.Delayed().Count(r.ctx, resque.DelayedFilter{}) },
		"scheduled_at": func() (any, error) {
			times, err := r.ScheduledAt(r.ctx, mail(1))
			unix := []int64{}
			for _, at := range times {
				unix = append(unix, at.Unix())
			}
			return unix, err
		},
		"delayed_question": func() (any, error) {
			times, err := r.ScheduledAt(r.ctx, mail(1))
			return len(times) > 0, err
		},
		"next_delayed_timestamp":     func() (any, error) { return r.nextDue() },
		"next_delayed_timestamp_due": func() (any, error) { return r.nextDue() },
	}
}

// nextDue returns the first second that has come, as Ruby's next_delayed_timestamp does.
func (r *replay) nextDue() (any, error) {
	for job, err := range r.Delayed().Jobs(r.ctx, resque.DelayedFilter{Until: r.now.Add(time.Second)}) {
		return job.Due.Unix(), err
	}
	return nil, nil //nolint:nilnil // Ruby's nil
}

func TestDelayedIsRubys(t *testing.T) {
	t.Parallel()
	recordings := golden.Family(t, "scheduler-delayed")
	require.Len(t, recordings, 60)
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, conn := s.Client(t), s.Conn(t)
		different := differences()
		for _, recording := range recordings {
			_, err := conn.Do("FLUSHALL")
			require.NoError(t, err)
			clock, err := redis.Int64s(conn.Do("TIME"))
			require.NoError(t, err)
			move := mover{clock[0] - recording.Now.Unix()}
			for key, value := range move.keys(t, recording.KeysBefore) {
				seed(t, conn, key, value)
			}
			r := &replay{Client: client, ctx: t.Context(), now: time.Unix(clock[0], 0).Add(time.Duration(recordedNow-recording.Now.Unix()) * time.Second)}
			if recording.Name == "next_delayed_timestamp_due" {
				r.now = time.Unix(clock[0], 0)
			}
			call, known := r.calls()[recording.Name]
			if different[recording.Name] != "" {
				delete(different, recording.Name)
				if recording.Name != "reset_delayed_queue" {
					require.False(t, known, recording.Name)
					continue
				}
				call = func() (any, error) { return r.remove(resque.DelayedFilter{All: true}) }
				recording.Returns = json.RawMessage("6")
			} else {
				require.True(t, known, recording.Name)
			}
			got, err := call()
			if recording.Raises != nil {
				require.Error(t, err, recording.Name)
			} else {
				require.NoError(t, err, recording.Name)
				text, err := json.Marshal(got)
				require.NoError(t, err)
				assert.JSONEq(t, move.text(string(recording.Returns)), string(text), recording.Name)
			}
			if !r.due.IsZero() { // only Redis knows the fraction of its second
				assert.WithinRange(t, r.due, time.Unix(clock[0], 0).Add(time.Second), time.Unix(clock[0], 0).Add(20*time.Minute), recording.Name)
				move = mover{r.due.Unix() - onlyNewSecond(t, recording)}
			}
			assert.Equal(t, move.keys(t, recording.KeysAfter), golden.Dump(t, conn), recording.Name)
		}
		assert.Empty(t, different, "not recorded")
	})
}

// onlyNewSecond returns the second at which a recording delayed its job.
func onlyNewSecond(t *testing.T, r golden.Recording) int64 {
	t.Helper()
	for _, c := range r.Commands {
		if c[0] == "ZADD" {
			second, err := strconv.ParseInt(c[2], 10, 64)
			require.NoError(t, err)
			return second
		}
	}
	require.Fail(t, "the recording delays no job", r.Name)
	return 0
}

// mover moves the seconds of a recording by an offset.
type mover struct{ by int64 }

func (m mover) text(text string) string {
	return regexp.MustCompile(`\b17684[0-9]{5}\b`).ReplaceAllStringFunc(text, func(second string) string {
		n, _ := strconv.ParseInt(second, 10, 64)
		return strconv.FormatInt(n+m.by, 10)
	})
}

func (m mover) keys(t *testing.T, space map[string]golden.Value) map[string]golden.Value {
	t.Helper()
	text, err := json.Marshal(space)
	require.NoError(t, err)
	moved := map[string]golden.Value{}
	require.NoError(t, json.Unmarshal([]byte(m.text(string(text))), &moved))
	return moved
}

// seed writes a key of a recording.
func seed(t *testing.T, conn redis.Conn, key string, value golden.Value) {
	t.Helper()
	for _, item := range value.Value.([]any) {
		var err error
		switch value.Type {
		case "list":
			_, err = conn.Do("RPUSH", key, item)
		case "set":
			_, err = conn.Do("SADD", key, item)
		case "zset":
			pair := item.([]any)
			_, err = conn.Do("ZADD", key, pair[1], pair[0])
		default:
			require.Fail(t, "unexpected type", value.Type)
		}
		require.NoError(t, err)
	}
}
