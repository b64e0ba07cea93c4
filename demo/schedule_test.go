package demo

import (
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/resque/embedded"
	"github.com/goresque/goresque/resque/outbox"
	"github.com/goresque/goresque/resque/scheduler"
)

// scheduled returns a fixture whose exports are due after a time.
func scheduled(t *testing.T, later time.Duration) *fixture {
	t.Helper()
	return setUpWith(t, webConfig{rows: 10, later: later, lost: 2 * time.Second, lookEvery: 10 * time.Millisecond})
}

func (f *fixture) becomes(t *testing.T, id string, state record.State) {
	t.Helper()
	require.Eventually(t, func() bool { return f.json(t, "/exports/"+id).State == state }, patience, 10*time.Millisecond, "want %s", state)
}

func (f *fixture) delayed(t *testing.T, id int64) []time.Time {
	t.Helper()
	at, err := f.client.ScheduledAt(t.Context(), Exporter.Job(id))
	require.NoError(t, err)
	return at
}

// makeDue makes the only delayed job and export 1 due. With a short delay, the job could be due
// before the relay enqueues it, which then does not delay it.
func (f *fixture) makeDue(t *testing.T) {
	t.Helper()
	due := time.Now().Add(-time.Second)
	c, err := f.client.Redis().Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	at := f.delayed(t, 1)
	require.Len(t, at, 1)
	key := f.client.Redis().Key
	from, to := key("delayed", strconv.FormatInt(at[0].Unix(), 10)), key("delayed", strconv.FormatInt(due.Unix(), 10))
	payload, err := c.Do("LINDEX", from, 0)
	require.NoError(t, err)
	for _, command := range [][]any{
		{"RENAME", from, to},
		{"DEL", key("delayed_queue_schedule")},
		{"ZADD", key("delayed_queue_schedule"), due.Unix(), due.Unix()},
		{"DEL", key("timestamps", string(payload.([]byte)))},
		{"SADD", key("timestamps", string(payload.([]byte))), "delayed:" + strconv.FormatInt(due.Unix(), 10)},
	} {
		_, err := c.Do(command[0].(string), command[1:]...)
		require.NoError(t, err)
	}
	require.NoError(t, f.exports.db.Model(&Export{}).Where("id = 1").Update("due_at", due).Error)
}

func TestScheduledExportIsShownAtOnce(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	require.Equal(t, http.StatusSeeOther, f.form(t, "/exports", "when", "later").StatusCode)
	e := f.json(t, "/exports/1")
	assert.Equal(t, record.Scheduled, e.State)
	assert.False(t, e.Complete)
	require.NotNil(t, e.DueAt)
	require.Len(t, f.delayed(t, 1), 1)
	assert.WithinDuration(t, *e.DueAt, f.delayed(t, 1)[0], time.Second)
	assert.Equal(t, "Starts at "+e.DueAt.Local().Format(time.TimeOnly), e.Message)

	page := f.do(t, http.MethodGet, "/exports").body
	for _, want := range []string{"Your export is scheduled.", `data-state="scheduled"`, e.Message, `data-left="`, `aria-label="Cancel export 1"`, "No scheduler is running."} {
		assert.Contains(t, page, want)
	}
	f.runScheduler(t)
	require.Eventually(t, func() bool {
		return !strings.Contains(f.do(t, http.MethodGet, "/exports").body, "No scheduler is running.")
	}, patience, 10*time.Millisecond)
}

func TestScheduledExportIsBuiltWhenItIsDue(t *testing.T) {
	t.Parallel()
	f := scheduled(t, 2*time.Second)
	f.work(t)
	f.runScheduler(t)
	created := time.Now()
	f.form(t, "/exports", "when", "later")
	f.becomes(t, "1", record.Ready)
	assert.GreaterOrEqual(t, time.Since(created), time.Second, "a delay is cut to whole seconds")
	assert.Empty(t, f.failures(t))
}

func TestScheduledExportWaitsInLineWhenItIsDue(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	f.form(t, "/exports", "when", "later")
	f.makeDue(t)
	require.Eventually(t, func() bool { return f.json(t, "/exports/1").Message == "Due now, waits for a scheduler" }, patience, 10*time.Millisecond)
	assert.Len(t, f.delayed(t, 1), 1, "no scheduler runs")
	f.runScheduler(t)
	f.becomes(t, "1", record.Queued)
	assert.Equal(t, "1st in line", f.json(t, "/exports/1").Message)
}

func TestScheduledExportIsCanceledBeforeItIsDue(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	f.form(t, "/exports", "when", "later")
	f.form(t, "/exports", "when", "later")
	require.Equal(t, http.StatusSeeOther, f.do(t, http.MethodPost, "/exports/1/cancel").StatusCode)
	assert.Equal(t, record.Canceled, f.json(t, "/exports/1").State)
	assert.Empty(t, f.delayed(t, 1))
	assert.Len(t, f.delayed(t, 2), 1)

	f.do(t, http.MethodPost, "/exports/1/retry")
	assert.Equal(t, record.Queued, f.json(t, "/exports/1").State)
	assert.Nil(t, f.json(t, "/exports/1").DueAt)
	f.do(t, http.MethodPost, "/exports/2/delete")
	assert.Empty(t, f.delayed(t, 2))
}

func TestScheduledExportWhoseJobWasRemovedFails(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	f.form(t, "/exports", "when", "later")
	f.form(t, "/exports", "when", "later")
	_, err := f.client.RemoveDelayed(t.Context(), Exporter.Job(1)) // as in the dashboard
	require.NoError(t, err)
	f.becomes(t, "1", record.Failed)
	assert.Equal(t, "Its job was removed before it was due.", f.json(t, "/exports/1").Message)
	assert.Equal(t, record.Scheduled, f.json(t, "/exports/2").State)
}

func TestScheduledFormSentTwiceMakesOneExport(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	for range 2 {
		assert.Equal(t, http.StatusSeeOther, f.form(t, "/exports", "when", "later", "Idempotency-Key", "same").StatusCode)
	}
	assert.Len(t, f.delayed(t, 1), 1)
	assert.Equal(t, http.StatusNotFound, f.do(t, http.MethodGet, "/exports/2").StatusCode)
	assert.Equal(t, http.StatusBadRequest, f.form(t, "/exports", "when", "never").StatusCode)
}

func TestScheduledExportsAreDelayedAgainAfterRedisHasLostThem(t *testing.T) {
	t.Parallel()
	x := testDatabase(t, filepath.Join(t.TempDir(), "demo.sqlite3"), 10)
	server, err := embedded.Start("") // it has none of the jobs
	require.NoError(t, err)
	t.Cleanup(server.Close)
	client := testClient(t, server.URL())
	for range 3 {
		_, _, err := x.create(t.Context(), 10, 0, time.Hour, "")
		require.NoError(t, err)
	}
	require.NoError(t, x.db.Exec("DELETE FROM goresque_outbox").Error) // they were enqueued
	for _, delay := range []time.Duration{0, time.Hour} {              // these were not
		_, _, err := x.create(t.Context(), 10, 0, delay, "")
		require.NoError(t, err)
	}
	require.NoError(t, x.db.Model(&Export{}).Where("id = 2").Update("due_at", time.Now().Add(-time.Hour)).Error)
	third, err := x.find(t.Context(), 3)
	require.NoError(t, err)
	_, err = third.Cancel(t.Context())
	require.NoError(t, err)

	require.NoError(t, x.restore(t.Context()))
	conns, err := x.db.DB.DB()
	require.NoError(t, err)
	runUntilEnd(t, (&outbox.Relay{DB: conns, Client: client, Logger: quiet()}).Run)
	require.Eventually(t, func() bool {
		stored, err := x.stored(t.Context())
		return err == nil && len(stored) == 0
	}, patience, time.Millisecond)
	first, err := x.find(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, record.Scheduled, first.State)
	for id, want := range map[int64]int{1: 1, 2: 0, 3: 0, 4: 0, 5: 1} {
		at, err := client.ScheduledAt(t.Context(), Exporter.Job(id))
		require.NoError(t, err)
		require.Len(t, at, want, "export %d", id)
		if id == 1 {
			assert.WithinDuration(t, *first.DueAt, at[0], time.Second)
		}
	}
	size, err := client.Size(t.Context(), Exporter.Queue())
	require.NoError(t, err)
	assert.EqualValues(t, 2, size, "export 2 was due while the demo was stopped, and export 4 was not enqueued")
}

func TestScheduleIsSetAndRemoved(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	pressed := func(every string) string { return `value="` + every + `" aria-pressed="true"` }
	page := func() string { return f.do(t, http.MethodGet, "/exports").body }
	assert.Contains(t, page(), pressed("off"))

	for every, cron := range map[string]string{"minute": "* * * * *", "night": "0 3 * * *"} {
		for range 2 {
			require.Equal(t, http.StatusSeeOther, f.form(t, "/schedule", "every", every).StatusCode)
		}
		s, err := scheduler.Find(t.Context(), f.client, scheduleName)
		require.NoError(t, err)
		assert.Equal(t, cron, s.Cron)
		got := page()
		assert.Contains(t, got, pressed(every))
		assert.Equal(t, 1, strings.Count(got, `aria-pressed="true"`))
		assert.Contains(t, got, "Next at")
		assert.Contains(t, got, "No scheduler is running.")
	}
	require.NoError(t, scheduler.Disable(t.Context(), f.client, scheduleName)) // as in the dashboard
	assert.Contains(t, page(), pressed("off"))
	f.form(t, "/schedule", "every", "night")
	assert.Contains(t, page(), pressed("night"))

	for range 2 {
		require.Equal(t, http.StatusNoContent, f.form(t, "/schedule", "every", "off", "Accept", "application/json").StatusCode)
	}
	_, err := scheduler.Find(t.Context(), f.client, scheduleName)
	require.ErrorIs(t, err, scheduler.ErrNoSchedule)
	assert.Equal(t, http.StatusBadRequest, f.form(t, "/schedule", "every", "year").StatusCode)
	assert.Equal(t, http.StatusBadRequest, f.do(t, http.MethodPost, "/schedule").StatusCode)

	f.redis.Close()
	assert.Equal(t, http.StatusServiceUnavailable, f.form(t, "/schedule", "every", "night").StatusCode)
	got := page()
	assert.Contains(t, got, "Redis, which holds the schedule, cannot be reached.")
	assert.NotContains(t, got, `aria-pressed="true"`)
}

func TestRecurringExportIsMadeByTheScheduledJob(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	f.runScheduler(t)
	f.form(t, "/schedule", "every", "night")
	_, err := scheduler.RunNow(t.Context(), f.client, scheduleName)
	require.NoError(t, err)
	f.work(t)
	require.Eventually(t, func() bool { return f.do(t, http.MethodGet, "/exports/1").StatusCode == http.StatusOK }, patience, 10*time.Millisecond)
	f.becomes(t, "1", record.Ready)
	file := f.do(t, http.MethodGet, "/exports/1/download")
	assert.Equal(t, wantCSV(10), file.body)
	assert.Empty(t, f.failures(t))
}

func TestNightlyExportMakesOneExportForEachScheduledTime(t *testing.T) {
	t.Parallel()
	f := scheduled(t, time.Hour)
	three := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		late time.Duration
		want int
	}{{-200 * time.Millisecond, 1}, {time.Second, 1}, {20 * time.Second, 1}, {time.Minute, 2}, {24 * time.Hour, 3}} {
		n := nightly{f.exports, func() time.Time { return three.Add(c.late) }}
		require.NoError(t, n.perform(t.Context(), 5, 0))
		f.relayed(t)
		all, err := f.exports.latest(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, all, c.want, "after call %d", i+1)
		assert.Equal(t, 5, all[0].Rows)
		size, err := f.client.Size(t.Context(), Exporter.Queue())
		require.NoError(t, err)
		assert.EqualValues(t, c.want, size)
	}
}

func TestBrowserCountsDownToAScheduledExport(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f := scheduled(t, time.Hour)
	f.work(t)
	f.runScheduler(t)
	const left = `document.querySelector("#export-1 [data-left]")`
	tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`[value=later]`), browsertest.DoubleClick(`.primary`),
		browsertest.Becomes(row(1, record.Scheduled)), mark(),
		browsertest.Becomes(`parseInt(`+left+`?.textContent) < `+left+`?.dataset.left - 1`))
	n, err := f.client.EnqueueDelayed(t.Context(), Exporter.Job(1)) // as “run now” in the dashboard
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	tab.Do(browsertest.Becomes(row(1, record.Ready)), browsertest.Visible("Export 1 is ready – Download CSV"))
	assert.True(t, browsertest.Ask[bool](tab, stayed), "the page was loaded again")
	assert.Equal(t, 1, browsertest.Ask[int](tab, `document.querySelectorAll("[data-row]").length`))

	pressed := func(every string) browsertest.Step {
		return browsertest.Becomes(`document.querySelector("[value=` + every + `]")?.ariaPressed === "true"`)
	}
	tab.Do(click(`[value=night]`), pressed("night"), browsertest.Visible("Next at 03:00"), click(`[value=off]`), pressed("off"))

	soon := scheduled(t, 2*time.Second)
	soon.work(t)
	soon.runScheduler(t)
	tab.Do(browsertest.Navigate(soon.web.URL+"/exports"), click(`[value=later]`), click(`.primary`), browsertest.Becomes(row(1, record.Ready)))
	assert.Empty(t, tab.Complaints())
}

func TestBrowserWithoutScriptsShowsWhenAScheduledExportStarts(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	f := scheduled(t, time.Hour)
	tab.DisableScripts()
	tab.Do(browsertest.Navigate(f.web.URL+"/exports"), click(`[value=later]`), click(`.primary`), browsertest.Visible("Starts at"),
		insist(`[aria-label="Cancel export 1"]`, row(1, record.Canceled)), click(`[value=night]`),
		browsertest.Becomes(`document.querySelector("[value=night]")?.ariaPressed === "true"`), browsertest.Visible("Next at"))
}
