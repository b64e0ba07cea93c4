package scheduler_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// scheduleDifference is a recording of schedules in which goresque deliberately does
// something else than Ruby.
type scheduleDifference struct {
	why    string
	config string           // of the entry, if the call cannot be translated
	queued map[string][]any // the lists at the end
	err    string           // why the entry does not run
}

// scheduleDifferences is the one list of deliberate differences. All other recordings
// must be matched.
func scheduleDifferences() map[string]scheduleDifference {
	queued := func(queue, payload string) map[string][]any {
		return map[string][]any{"resque:queue:" + queue: {payload}}
	}
	const scheduled = "no class is known to respond to scheduled"
	return map[string]scheduleDifference{
		"set_schedule_not_persistent":           {why: "Set always stores the entry: without persist, only one Ruby process knows it"},
		"set_schedule_persist_false":            {why: "Set always stores the entry"},
		"from_config_class_scheduled":           {why: scheduled, queued: queued("custom", `{"class":"Custom","args":[1]}`)},
		"from_config_custom_job_class":          {why: scheduled, queued: queued("mail", `{"class":"Custom","args":[1]}`)},
		"from_config_custom_job_class_no_class": {why: scheduled, queued: queued("q", `{"class":"Custom","args":[1]}`)},
		"from_config_class_missing":             {why: "the class is the name of the entry, never Object", queued: queued("q", `{"class":"entry","args":[1]}`)},
		"from_config_symbol_custom_job_class":   {why: "JSON and YAML have no keys that are symbols", queued: queued("sym", `{"class":"Custom","args":[1]}`)},
		"from_config_date_in_yaml_args": {
			why:    "the same result: the entry as Ruby stores it",
			config: `{"class":"Mail","args":["2026-01-15","2026-01-15 12:00:00 UTC","sym",1000,"0o17",true,null,1.0]}`,
			queued: queued("mail", `{"class":"Mail","args":["2026-01-15","2026-01-15 12:00:00 UTC","sym",1000,"0o17",true,null,1.0]}`),
		},
		"recurring_fire_fails": {why: "an entry without a queue does not run and says so; it has not been enqueued", err: "the schedule has no queue"},
		"load_cronopts":        {why: "Ruby counts times from 0 at each start", err: "the option times is not supported"},
		"load_croneng":         {why: "Ruby's scheduler ends", err: "it has 4 fields"},
		"load_bad_cron":        {why: "Ruby's scheduler ends", err: "it has 1 fields"},
		"load_bad_every":       {why: "Ruby's scheduler ends", err: `invalid duration "nonsense"`},
		"load_every_integer":   {why: "Ruby's scheduler ends", err: `write a string such as "30s"`},
	}
}

func TestSchedulesAreThoseOfRuby(t *testing.T) {
	t.Parallel()
	recordings := golden.Family(t, "scheduler-schedules")
	require.Len(t, recordings, 59)
	used := map[string]bool{}
	for _, r := range recordings {
		d, differs := scheduleDifferences()[r.Name]
		used[r.Name] = differs
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartEmbedded(t)
			f := newScheduleFixture(t, s, scheduler.Config{Env: "staging", Dynamic: true, Location: zone(t, r)})
			switch {
			case strings.HasPrefix(r.Name, "set_schedule"):
				f.replaySet(t, r, d)
			case strings.HasPrefix(r.Name, "from_config_"), strings.HasPrefix(r.Name, "recurring_"):
				f.replayFire(t, r, d)
			case strings.HasPrefix(r.Name, "schedule_"), strings.HasPrefix(r.Name, "load_schedule_"), strings.HasPrefix(r.Name, "update_"), r.Name == "fetch_schedule", r.Name == "remove_schedule":
				f.replayState(t, s, r)
			default:
				f.replayLoad(t, r, d)
			}
		})
	}
	for name := range scheduleDifferences() {
		assert.True(t, used[name], "%s is not recorded", name)
	}
}

func zone(t *testing.T, r golden.Recording) *time.Location {
	t.Helper()
	if r.Name != "recurring_fire_tz" {
		return time.UTC
	}
	at, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	return at
}

// scheduleFixture is a scheduler that holds the lock, and whose clock the test sets.
type scheduleFixture struct {
	*scheduler.Scheduler
	client *resque.Client
	c      rdb
	log    *log
}

func newScheduleFixture(t testing.TB, s *redistest.Server, cfg scheduler.Config) scheduleFixture {
	t.Helper()
	f := scheduleFixture{client: s.Client(t), c: rdb{s.Conn(t)}, log: &log{}}
	if cfg.Logger == nil {
		cfg.Logger = f.log.logger()
	}
	if cfg.Mux == nil {
		cfg.Mux = resque.NewMux()
		for class, queue := range map[string]string{"Mail": "mail", "Custom": "custom", "Hooked": "hooked"} {
			cfg.Mux.Handle(resque.Route{Class: class, Queue: queue, Handler: resque.NewMux()})
		}
	}
	var err error
	f.Scheduler, err = scheduler.New(f.client, cfg)
	require.NoError(t, err)
	f.c.do(t, "SET", lock, scheduler.Token(f.Scheduler))
	return f
}

// at performs the duty at a time.
func (f scheduleFixture) at(t testing.TB, now time.Time, began bool) (next time.Time) {
	t.Helper()
	next, err := scheduler.Recur(t.Context(), f.Scheduler, now, began)
	require.NoError(t, err)
	return next
}

// configOf translates the hash in a Ruby call to JSON.
func configOf(call string) string {
	text := call[strings.Index(call, "{") : strings.LastIndex(call, "}")+1]
	text = regexp.MustCompile(`:(\w+)=>`).ReplaceAllString(text, `"$1"=>`)
	text = regexp.MustCompile(`([{ ])(\w+): `).ReplaceAllString(text, `$1"$2"=>`)
	return strings.NewReplacer("=>", ":", "'", `"`, "nil", "null", "[1, 2]", "[1,2]").Replace(text)
}

func (f scheduleFixture) replaySet(t *testing.T, r golden.Recording, d scheduleDifference) {
	t.Helper()
	for key, v := range r.KeysBefore {
		f.c.restore(t, key, v, func(s string) string { return s })
	}
	var config map[string]json.RawMessage
	if stored, ok := r.KeysAfter["resque:persistent_schedules"]; ok {
		for name, text := range stored.Value.(map[string]any) {
			config = map[string]json.RawMessage{name: json.RawMessage(text.(string))}
		}
	} else {
		config = map[string]json.RawMessage{"mem": json.RawMessage(`{"class":"Mail","every":"1h"}`)}
	}
	for name, text := range config {
		e, err := scheduler.ParseConfig(name, string(text))
		require.NoError(t, err)
		if e.Job.Queue == "" {
			e.Job.Queue = "mail" // Set requires one
		}
		changed, err := scheduler.Set(t.Context(), f.client, e)
		require.NoError(t, err)
		require.True(t, changed)
		again, err := scheduler.ParseConfig(name, f.stored(t, name))
		require.NoError(t, err)
		ours, err := scheduler.ConfigOf(again)
		require.NoError(t, err)
		rubys, err := scheduler.ConfigOf(e)
		require.NoError(t, err)
		require.JSONEq(t, rubys, ours, d.why)
		require.Equal(t, r.KeysAfter["resque:schedules_changed"].Value, golden.Dump(t, f.c.Conn)["resque:schedules_changed"].Value)
	}
}

func (f scheduleFixture) stored(t *testing.T, name string) string {
	t.Helper()
	text, ok := f.c.do(t, "HGET", "resque:persistent_schedules", name).([]byte)
	require.True(t, ok)
	return string(text)
}

// replayFire fires an entry an hour after it was loaded, at the time of the recording.
func (f scheduleFixture) replayFire(t *testing.T, r golden.Recording, d scheduleDifference) {
	t.Helper()
	config := d.config
	if config == "" {
		config = configOf(r.Call)
	}
	name := "entry"
	if strings.HasPrefix(r.Name, "recurring_") {
		name = "nightly"
	}
	f.c.do(t, "HSET", "resque:persistent_schedules", name, `{"every":"1h",`+config[1:])
	f.at(t, r.Now.Add(-time.Hour), true)
	if r.Name == "recurring_fire_not_master" {
		f.c.do(t, "SET", lock, "another")
		_, err := scheduler.Recur(t.Context(), f.Scheduler, r.Now, false)
		require.ErrorIs(t, err, store.ErrNotMaster)
	} else {
		f.at(t, r.Now, false)
	}
	got := golden.Dump(t, f.c.Conn)
	delete(got, "resque:persistent_schedules")
	delete(got, "resque:schedules_changed")
	delete(got, "resque:goresque:schedule")
	delete(got, "resque:goresque:schedule:slots")
	delete(got, lock)
	if strings.HasPrefix(r.Name, "recurring_fire") && d.err == "" && len(r.KeysAfter) > 0 {
		last, _ := f.c.do(t, "HGET", "resque:delayed:last_enqueued_at", name).([]byte)
		want := r.KeysAfter["resque:delayed:last_enqueued_at"].Value.(map[string]any)[name]
		require.Equal(t, want, string(last))
	}
	delete(got, "resque:delayed:last_enqueued_at")
	want := map[string]golden.Value{}
	for key, v := range r.KeysAfter {
		if key != "resque:delayed:last_enqueued_at" {
			want[key] = v
		}
	}
	for key, items := range d.queued {
		clear(want)
		want[key] = golden.Value{Type: "list", Value: items}
		want["resque:queues"] = golden.Value{Type: "set", Value: []any{strings.TrimPrefix(key, "resque:queue:")}}
	}
	require.Equal(t, want, got, d.why)
	_, _, err := scheduler.NextOf(f.Scheduler, name)
	if r.Raises != nil {
		require.ErrorIs(t, err, resque.ErrNoQueue)
	} else if d.err != "" {
		require.ErrorContains(t, err, d.err)
	}
}

// replayLoad loads one entry.
func (f scheduleFixture) replayLoad(t *testing.T, r golden.Recording, d scheduleDifference) {
	t.Helper()
	name := strings.TrimPrefix(r.Name, "load_")
	f.c.do(t, "HSET", "resque:persistent_schedules", name, configOf(strings.TrimSuffix(r.Call, " # env staging")))
	now := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	f.at(t, now, true)
	next, known, err := scheduler.NextOf(f.Scheduler, name)
	switch {
	case d.err != "":
		require.ErrorContains(t, err, d.err, d.why)
		require.Contains(t, f.log.String(), "schedule cannot run")
	case len(r.RufusJobs) == 0:
		require.NoError(t, err)
		require.True(t, next.IsZero())
		require.Equal(t, name != "env_out", known)
	default:
		require.NoError(t, err)
		require.True(t, next.After(now))
	}
	require.Equal(t, d.err == "" && len(r.RufusJobs) > 0, !next.IsZero())
}

// replayState loads or changes what is stored, and checks what runs.
func (f scheduleFixture) replayState(t *testing.T, s *redistest.Server, r golden.Recording) {
	t.Helper()
	ctx := t.Context()
	now := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	switch r.Name {
	case "update_schedule_changes":
		f.c.do(t, "HSET", "resque:persistent_schedules", "nightly", `{"every":"1d","class":"Mail"}`)
		f.at(t, now, true)
		f.c.do(t, "HDEL", "resque:persistent_schedules", "nightly")
	case "schedule_merge":
		f = newScheduleFixture(t, s, scheduler.Config{Entries: []scheduler.Entry{
			{Name: "a", Every: time.Minute, Job: resque.Job{Queue: "mail", Class: "Static"}},
		}})
	}
	for key, v := range r.KeysBefore {
		f.c.restore(t, key, v, func(s string) string { return s })
	}
	switch r.Name {
	case "remove_schedule":
		require.NoError(t, scheduler.Remove(ctx, f.client, "nightly"))
		require.ErrorIs(t, scheduler.Remove(ctx, f.client, "nightly"), scheduler.ErrNoSchedule)
	case "fetch_schedule":
		found, err := scheduler.Find(ctx, f.client, "nightly")
		require.NoError(t, err)
		require.Equal(t, 24*time.Hour, found.Every)
		require.Equal(t, "Mail", found.Job.Class)
	case "schedule_assign", "schedule_assign_custom_job_class": // Entries write nothing
		e, err := scheduler.ParseConfig("MakeTea", `{"every":"1m"}`)
		require.NoError(t, err)
		require.Equal(t, "MakeTea", e.Job.Class)
		e, err = scheduler.ParseConfig("import", configOf(`{"custom_job_class"=>"Custom","every"=>"1h","queue"=>"q"}`))
		require.NoError(t, err)
		require.Equal(t, resque.Job{Queue: "q", Class: "Custom"}, e.Job)
		return
	case "schedule_merge":
		f.at(t, now, true)
		found, err := scheduler.Find(ctx, f.client, "a")
		require.NoError(t, err)
		require.Equal(t, "FromRedis", found.Job.Class)
		return
	default:
		f.at(t, now.Add(time.Minute), r.Name != "update_schedule_changes")
		for name := range r.RufusJobs {
			next, _, err := scheduler.NextOf(f.Scheduler, name)
			require.True(t, err != nil || next.After(now), name)
		}
		_, known, _ := scheduler.NextOf(f.Scheduler, "nightly")
		require.Equal(t, r.Name != "update_schedule_changes" && r.Name != "load_schedule_static", known)
	}
	got := golden.Dump(t, f.c.Conn)
	for _, ours := range []string{"resque:goresque:schedule", "resque:goresque:schedule:slots", lock} {
		delete(got, ours)
	}
	require.Equal(t, r.KeysAfter, got)
}
