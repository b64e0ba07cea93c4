package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// noon is the time at which tests begin. It is a Thursday.
func noon() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) }

func every(name string, d time.Duration) scheduler.Entry {
	return scheduler.Entry{Name: name, Every: d, Job: resque.Job{Queue: "q", Class: name}}
}

func crontab(name, line string) scheduler.Entry {
	return scheduler.Entry{Name: name, Cron: line, Job: resque.Job{Queue: "q", Class: name}}
}

// classes counts the jobs in queue q by class.
func (f scheduleFixture) classes(t testing.TB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, payload := range f.c.list(t, "resque:queue:q") {
		p, err := resque.ParsePayload("q", []byte(payload))
		require.NoError(t, err)
		counts[p.Class]++
	}
	return counts
}

// runUntil performs the duty each time it asks for, until end.
func (f scheduleFixture) runUntil(t testing.TB, now, end time.Time) {
	t.Helper()
	for began := true; now.Before(end); began = false {
		next := f.at(t, now, began)
		require.False(t, next.IsZero())
		if next.After(now) {
			now = next
		}
	}
}

func TestEntriesFireAtEachOfTheirTimesForAYear(t *testing.T) {
	t.Parallel()
	f := newScheduleFixture(t, redistest.StartEmbedded(t), scheduler.Config{Location: time.UTC, Entries: []scheduler.Entry{
		crontab("Daily", "30 3 * * * Europe/Stockholm"),
		crontab("SpringGap", "30 2 * * * Europe/Stockholm"),
		crontab("Monthly", "@monthly"),
		crontab("LastFriday", "0 0 * * fri#-1"),
		crontab("SixHours", "0 */6 * * *"),
		every("Interval", 36*time.Hour),
	}})
	f.runUntil(t, noon(), noon().AddDate(1, 0, 0))
	require.Equal(t, map[string]int{
		"Daily": 365, "SpringGap": 365, // minus the day in March, plus the second time in October
		"Monthly": 12, "LastFriday": 12, "SixHours": 4*365 - 1, "Interval": 365 * 24 / 36,
	}, f.classes(t))
}

func TestEachTimeFiresOnceWhateverMastersDo(t *testing.T) {
	t.Parallel()
	const entries, minutes = 100, 100
	var all []scheduler.Entry
	for i := range entries {
		all = append(all, crontab(fmt.Sprintf("E%02d", i), "* * * * *"))
	}
	s := redistest.Start(t)
	cfg := scheduler.Config{Location: time.UTC, Entries: all}
	a, b := newScheduleFixture(t, s, cfg), newScheduleFixture(t, s, cfg)
	scheduler.ShareToken(a.Scheduler, b.Scheduler) // both believe to be master, and the lock agrees
	a.c.do(t, "SET", lock, scheduler.Token(a.Scheduler))
	for i := range minutes + 1 {
		var both sync.WaitGroup
		for _, f := range []scheduleFixture{a, b} {
			both.Go(func() {
				_, err := scheduler.Recur(context.WithoutCancel(t.Context()), f.Scheduler, noon().Add(time.Duration(i)*time.Minute), i == 0)
				assert.NoError(t, err)
			})
		}
		both.Wait()
	}
	counts := a.classes(t)
	require.Len(t, counts, entries)
	for name, n := range counts {
		require.Equal(t, minutes, n, name)
	}
}

func TestASchedulerThatLostTheLockFiresNothing(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	cfg := scheduler.Config{Entries: []scheduler.Entry{every("Pulse", time.Minute)}}
	stopped, other := newScheduleFixture(t, s, cfg), newScheduleFixture(t, s, cfg)
	stopped.c.do(t, "SET", lock, scheduler.Token(stopped.Scheduler))
	stopped.at(t, noon(), true)

	// It is stopped for longer than its lock lasts, and another one fires.
	other.c.do(t, "SET", lock, scheduler.Token(other.Scheduler))
	other.at(t, noon().Add(time.Minute), true)
	require.Equal(t, map[string]int{"Pulse": 1}, other.classes(t))

	_, err := scheduler.Recur(t.Context(), stopped.Scheduler, noon().Add(time.Minute), false)
	require.ErrorIs(t, err, store.ErrNotMaster)
	stopped.c.do(t, "SET", lock, scheduler.Token(stopped.Scheduler)) // even as master it is too late
	stopped.at(t, noon().Add(time.Minute), false)
	require.Equal(t, map[string]int{"Pulse": 1}, other.classes(t))
	stopped.at(t, noon().Add(2*time.Minute), false)
	require.Equal(t, map[string]int{"Pulse": 2}, other.classes(t))
}

func TestALostReplyFiresNothingTwice(t *testing.T) {
	t.Parallel()
	f := newScheduleFixture(t, redistest.Start(t), scheduler.Config{Entries: []scheduler.Entry{every("Pulse", time.Minute), crontab("Cron", "* * * * *")}})
	f.at(t, noon(), true)
	scheduler.LoseReply(f.Scheduler)
	_, err := scheduler.Recur(t.Context(), f.Scheduler, noon().Add(time.Minute), false)
	require.ErrorContains(t, err, "lost")
	next := f.at(t, noon().Add(time.Minute), false)
	require.Equal(t, noon().Add(2*time.Minute), next.UTC())
	require.Equal(t, map[string]int{"Pulse": 1, "Cron": 1}, f.classes(t))
}

func TestANewStartMovesNoInterval(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	first := every("First", 24*time.Hour)
	first.FirstIn = 10 * time.Minute
	cfg := scheduler.Config{Entries: []scheduler.Entry{every("Daily", 24*time.Hour), first}}
	newScheduleFixture(t, s, cfg).at(t, noon(), true)
	for hour := range 24 { // a deploy each hour
		f := newScheduleFixture(t, s, cfg)
		now := noon().Add(time.Duration(hour) * time.Hour).Add(10 * time.Minute)
		next := f.at(t, now, true)
		require.Equal(t, map[string]int{"First": 1}, f.classes(t), now)
		require.Equal(t, noon().Add(24*time.Hour), next.UTC())
	}
	f := newScheduleFixture(t, s, cfg)
	f.at(t, noon().Add(24*time.Hour), true)
	require.Equal(t, map[string]int{"First": 1, "Daily": 1}, f.classes(t))
}

func TestMissedTimesFireOnceWithinGrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		about string
		grace time.Duration
		away  time.Duration // after the time of the entry
		fires int
	}{
		{"within the default", 0, 50 * time.Second, 1},
		{"after the default", 0, 70 * time.Second, 0},
		{"within an hour", time.Hour, 59 * time.Minute, 1},
		{"after an hour", time.Hour, 61 * time.Minute, 0},
		{"as Ruby", -1, time.Second, 0},
	} {
		for kind, entry := range map[string]scheduler.Entry{"cron": crontab("E", "0 13 * * *"), "every": every("E", time.Hour)} {
			if kind == "every" && c.grace == time.Hour {
				continue // the next one is due by then
			}
			t.Run(c.about+"/"+kind, func(t *testing.T) {
				t.Parallel()
				s := redistest.StartEmbedded(t)
				cfg := scheduler.Config{Location: time.UTC, Grace: c.grace, Entries: []scheduler.Entry{entry}}
				newScheduleFixture(t, s, cfg).at(t, noon(), true)
				f := newScheduleFixture(t, s, cfg)
				now := noon().Add(time.Hour + c.away)
				next := f.at(t, now, true)
				require.True(t, next.After(now))
				require.Equal(t, c.fires, f.classes(t)["E"])
				require.Zero(t, next.Sub(noon())%time.Hour, "the next time is not moved: %v", next)
			})
		}
	}
}

func TestOfManyMissedTimesTheLatestFires(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	cfg := scheduler.Config{Location: time.UTC, Grace: 48 * time.Hour, Entries: []scheduler.Entry{
		crontab("Seconds", "* * * * * *"), crontab("Minutes", "* * * * *"), crontab("Morning", "* 7 * * *"), every("Half", 500*time.Millisecond),
	}}
	newScheduleFixture(t, s, cfg).at(t, noon(), true)
	f := newScheduleFixture(t, s, cfg)
	now := noon().Add(30*time.Hour + 250*time.Millisecond)
	f.at(t, now, true)
	require.Equal(t, map[string]int{"Seconds": 1, "Minutes": 1, "Morning": 1, "Half": 1}, f.classes(t))
	slots := map[string]string{"Seconds": "1768586400", "Minutes": "1768586400", "Morning": "1768550340", "Half": "1768586400"}
	for name, want := range slots {
		got, _ := f.c.do(t, "HGET", "resque:goresque:schedule:slots", name).([]byte)
		require.Equal(t, want, string(got), name)
	}
}

func TestHooksOfADefinitionRunAtEachTime(t *testing.T) {
	t.Parallel()
	var before, after int
	failing := resque.Define0("Failing", "q", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) {
		return false, errors.New("no disk")
	}))
	vetoed := resque.Define0("Vetoed", "q", resque.BeforeEnqueue(func(context.Context, resque.Job) (bool, error) {
		before++
		return before > 1, nil
	}), resque.AfterEnqueue(func(context.Context, resque.Job) error {
		after++
		return nil
	}))
	f := newScheduleFixture(t, redistest.Start(t), scheduler.Config{Entries: []scheduler.Entry{
		{Name: "vetoed", Every: time.Minute, Job: vetoed.Job()},
		{Name: "failing", Every: time.Minute, Job: failing.Job()},
	}})
	f.runUntil(t, noon(), noon().Add(3*time.Minute+time.Second))
	require.Equal(t, map[string]int{"Vetoed": 2}, f.classes(t))
	require.Equal(t, []int{3, 2}, []int{before, after})
	require.Contains(t, f.log.String(), "recurring job was not queued")
	require.Equal(t, 3, strings.Count(f.log.String(), "no disk"))
}

func TestPersistentEntriesAreReadAtEachInterval(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newScheduleFixture(t, redistest.Start(t), scheduler.Config{Dynamic: true, Location: time.UTC, Entries: []scheduler.Entry{every("Static", time.Hour)}})
	start := f.c.now(t).Truncate(24 * time.Hour).Add(36 * time.Hour) // Set notes Redis's time, which must be before
	f.at(t, start, true)
	set := func(e scheduler.Entry) {
		t.Helper()
		changed, err := scheduler.Set(ctx, f.client, e)
		require.NoError(t, err)
		require.True(t, changed)
	}
	set(every("New", time.Minute))
	f.at(t, start.Add(4*time.Second), false) // too soon to look
	f.at(t, start.Add(5*time.Second), false)
	f.at(t, start.Add(64*time.Second), false)
	require.Empty(t, f.classes(t))
	f.at(t, start.Add(65*time.Second), false) // a minute after it was seen
	require.Equal(t, map[string]int{"New": 1}, f.classes(t))

	changed, err := scheduler.Set(ctx, f.client, every("New", time.Minute))
	require.NoError(t, err)
	require.False(t, changed)
	f.at(t, start.Add(71*time.Second), false)
	f.at(t, start.Add(125*time.Second), false) // the same entry does not begin again
	require.Equal(t, map[string]int{"New": 2}, f.classes(t))

	set(crontab("New", "0 13 * * *"))
	f.at(t, start.Add(3*time.Minute), false)
	f.at(t, start.Add(10*time.Minute), false)
	require.Equal(t, map[string]int{"New": 2}, f.classes(t))
	f.at(t, start.Add(time.Hour), false)
	require.Equal(t, map[string]int{"New": 3, "Static": 1}, f.classes(t))

	require.NoError(t, scheduler.Remove(ctx, f.client, "New"))
	set(scheduler.Entry{Name: "Static", Every: time.Hour, Job: resque.Job{Queue: "q", Class: "Replaced"}})
	f.at(t, start.Add(time.Hour+time.Minute), false)
	f.at(t, start.Add(2*time.Hour+time.Minute), false)
	require.Equal(t, map[string]int{"New": 3, "Static": 1, "Replaced": 1}, f.classes(t))

	require.NoError(t, scheduler.Remove(ctx, f.client, "Static")) // that of the program runs again
	f.at(t, start.Add(2*time.Hour+2*time.Minute), false)
	f.at(t, start.Add(3*time.Hour+2*time.Minute), false)
	require.Equal(t, map[string]int{"New": 3, "Static": 2, "Replaced": 1}, f.classes(t))
}

func TestSetRefusesWhatRubyCannotRead(t *testing.T) {
	t.Parallel()
	f := newScheduleFixture(t, redistest.Start(t), scheduler.Config{})
	for want, e := range map[string]scheduler.Entry{
		"minutes":              crontab("E", "60 * * * *"),
		"below 300ms":          every("E", time.Millisecond),
		"either Cron or Every": {Name: "E", Job: resque.Job{Queue: "q", Class: "C"}},
		"needs a class":        {Name: "E", Every: time.Hour, Job: resque.Job{Queue: "q"}},
		"needs a queue":        {Name: "E", Every: time.Hour, Job: resque.Job{Class: "C"}},
		"needs a name":         every("", time.Hour),
		"FirstIn is -1s":       {Name: "E", Every: time.Hour, FirstIn: -time.Second, Job: resque.Job{Queue: "q", Class: "C"}},
		"has a member":         {Name: "E", Every: time.Hour, Job: resque.Job{Queue: "q", Class: "C"}.WithMember("m", 1)},
		"malformed utf-8":      {Name: "E", Every: time.Hour, Job: resque.Job{Queue: "q", Class: "C", Args: []any{"\xff"}}},
	} {
		_, err := scheduler.Set(t.Context(), f.client, e)
		require.ErrorContains(t, err, want)
	}
	require.Zero(t, f.c.exists(t, "resque:persistent_schedules", "resque:schedules_changed"))
	_, err := scheduler.New(f.client, scheduler.Config{Entries: []scheduler.Entry{crontab("E", "60 * * * *"), crontab("E", "? * * * *")}})
	require.ErrorContains(t, err, `minutes "60"`)
	require.ErrorContains(t, err, `minutes "?"`)
	require.ErrorContains(t, err, `two entries have the name "E"`)
}

func TestAnEntryThatCannotBeReadStopsNoOther(t *testing.T) {
	t.Parallel()
	f := newScheduleFixture(t, redistest.Start(t), scheduler.Config{Location: time.UTC})
	for name, config := range map[string]string{
		"bad": `{"cron":"60 * * * *","class":"C","queue":"q"}`, "json": `{oops`, "list": `[]`, "number": `{"every":30,"class":"C"}`,
		"noqueue": `{"every":"1m","class":"C"}`, "good": `{"every":"1m","class":"C","queue":"q"}`,
	} {
		f.c.do(t, "HSET", "resque:persistent_schedules", name, config)
	}
	f.at(t, noon(), true)
	f.at(t, noon().Add(time.Minute), true)
	require.Equal(t, map[string]int{"C": 1}, f.classes(t))
	require.Equal(t, 5, strings.Count(f.log.String(), "schedule cannot run"), "each is logged once: %s", f.log)
	all, err := scheduler.Schedules(t.Context(), f.client)
	require.NoError(t, err)
	require.Len(t, all, 6)
	for _, s := range all {
		require.True(t, s.Running, s.Name)
		require.Equal(t, s.Name != "good", s.Err != nil, "%s: %v", s.Name, s.Err)
		require.Equal(t, s.Name == "good", len(s.Next(3)) == 3, s.Name)
	}
}

func TestSchedulesShowWhatRuns(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newScheduleFixture(t, redistest.Start(t), scheduler.Config{Location: time.UTC, Entries: []scheduler.Entry{
		{Name: "nightly", Cron: "0 3 * * *", Description: "a <report>", Job: resque.Job{Queue: "q", Class: "Report", Args: []any{1.0, "x"}}},
	}})
	_, err := scheduler.Set(ctx, f.client, every("pulse", 90*time.Second))
	require.NoError(t, err)
	f.at(t, noon(), true)
	f.at(t, noon().Add(90*time.Second), false)

	all, err := scheduler.Schedules(ctx, f.client)
	require.NoError(t, err)
	require.Len(t, all, 2)
	nightly, pulse := all[0], all[1]
	require.True(t, nightly.Static && nightly.Running)
	require.Equal(t, "a <report>", nightly.Description)
	require.Equal(t, []time.Time{noon().Add(15 * time.Hour), noon().Add(39 * time.Hour)}, nightly.NextAfter(noon(), 2))
	require.True(t, nightly.Last.IsZero())
	require.False(t, pulse.Static)
	require.Equal(t, noon().Add(90*time.Second), pulse.Last)
	require.Equal(t, []time.Time{noon().Add(180 * time.Second)}, pulse.NextAfter(noon().Add(100*time.Second), 1))

	receipt, err := scheduler.RunNow(ctx, f.client, "nightly")
	require.NoError(t, err)
	require.Equal(t, resque.Queued, receipt.State)
	require.Contains(t, f.c.list(t, "resque:queue:q"), `{"class":"Report","args":[1.0,"x"]}`)

	require.NoError(t, scheduler.Disable(ctx, f.client, "pulse"))
	f.at(t, noon().Add(180*time.Second), false)
	require.Equal(t, map[string]int{"Report": 1, "pulse": 1}, f.classes(t))
	off, err := scheduler.Find(ctx, f.client, "pulse")
	require.NoError(t, err)
	require.True(t, off.Off)
	require.NoError(t, scheduler.Enable(ctx, f.client, "pulse"))
	f.at(t, noon().Add(270*time.Second), false)
	require.Equal(t, map[string]int{"Report": 1, "pulse": 2}, f.classes(t))

	for _, err := range []error{
		scheduler.Disable(ctx, f.client, "none"), scheduler.Enable(ctx, f.client, "none"), scheduler.Remove(ctx, f.client, "nightly"),
	} {
		require.ErrorIs(t, err, scheduler.ErrNoSchedule)
	}
	_, err = scheduler.RunNow(ctx, f.client, "none")
	require.ErrorIs(t, err, scheduler.ErrNoSchedule)
}

func TestEntriesGoOnAfterRedisLostItsData(t *testing.T) {
	t.Parallel()
	f := newScheduleFixture(t, redistest.Start(t), scheduler.Config{Entries: []scheduler.Entry{every("Pulse", time.Minute)}})
	f.at(t, noon(), true)
	f.c.do(t, "FLUSHALL")
	f.c.do(t, "SET", lock, scheduler.Token(f.Scheduler))
	require.Equal(t, noon().Add(time.Minute), f.at(t, noon().Add(time.Minute), false)) // at once
	require.Equal(t, noon().Add(2*time.Minute), f.at(t, noon().Add(time.Minute), false).UTC())
	f.at(t, noon().Add(2*time.Minute), false)
	require.Equal(t, map[string]int{"Pulse": 1}, f.classes(t))
}

func TestAQueueThatIsNotAListIsReported(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		other := every("Other", time.Minute)
		other.Job.Queue = "string"
		f := newScheduleFixture(t, s, scheduler.Config{Entries: []scheduler.Entry{every("Pulse", time.Minute), other}})
		c.do(t, "SET", "resque:queue:string", "x")
		f.runUntil(t, noon(), noon().Add(2*time.Minute+time.Second))
		require.Equal(t, map[string]int{"Pulse": 2}, f.classes(t))
		require.Equal(t, 2, strings.Count(f.log.String(), "recurring job cannot be queued"))
	})
}

func TestWeeksThatVersionsCountDifferentlyAreNoted(t *testing.T) {
	t.Parallel()
	for monday, day := range map[bool]int{false: 27, true: 20} {
		f := newScheduleFixture(t, redistest.StartEmbedded(t), scheduler.Config{
			Location: time.UTC, MondayWeeks: monday, Entries: []scheduler.Entry{crontab("Weeks", "0 0 * * tue%2"), crontab("Plain", "0 0 * * tue")},
		})
		require.Equal(t, 20, f.at(t, noon(), true).Day())
		f.at(t, noon(), true)
		next, _, err := scheduler.NextOf(f.Scheduler, "Weeks")
		require.NoError(t, err)
		require.Equal(t, day, next.Day())
		require.Equal(t, 1, strings.Count(f.log.String(), "versions of fugit begin weeks on different days"), f.log)
	}
}

func TestASchedulerFiresByItself(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *redistest.Server, c rdb) {
		r := start(t, s, scheduler.Config{Dynamic: true, Interval: 50 * time.Millisecond, Entries: []scheduler.Entry{every("Static", time.Second)}})
		until(t, "the scheduler is master", func() bool { return r.State().Master })
		_, err := scheduler.Set(t.Context(), s.Client(t), crontab("Dynamic", "* * * * * *"))
		require.NoError(t, err)
		until(t, "both have fired", func() bool {
			counts := scheduleFixture{c: c}.classes(t)
			return counts["Static"] > 1 && counts["Dynamic"] > 1
		})
	})
}
