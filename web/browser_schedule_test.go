package web_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/web"
)

func TestBrowserRunCancelUndoDelayedJobs(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: time.Second})
	due := soon(time.Hour)
	s.delay(due, item("Mail", "[1]", "mail"), item("Mail", "[2]", "mail"), item("Report", "[3]", "reports"))
	s.delay(due+1, item("Mail", "[4]", "mail"))
	base := s.listen()
	tab.Do(browsertest.Navigate(base+"/overview"), browsertest.Visible("Delayed"), keys("d"), at("delayed"), browsertest.Visible("4 jobs"), browsertest.Visible("in 59 min"),
		keys("jr"), browsertest.Visible("Moved 1 job to its queue."))
	assert.Equal(t, []string{`{"class":"Mail","args":[1]}`}, s.list("resque:queue:mail"))
	tab.Do(browsertest.Fill(`input[name="class"]`, "Mail"), browsertest.Submit(`input[name="class"]`), browsertest.Visible("2 match."),
		click(`[data-all]`), click(`.bulk .danger`), browsertest.Visible("Cancel 2 jobs?"), click(`#ask .danger`), browsertest.Visible("Canceled 2 jobs."))
	assert.EqualValues(t, 1, s.do("ZCARD", "resque:delayed_queue_schedule"))
	tab.Do(click(`.flash button`), browsertest.Visible("Restored 2 entries."), browsertest.Visible("2 match."),
		click(`.head form:first-child button`), browsertest.Visible("Run 2 jobs now?"), click(`#ask .danger`), browsertest.Visible("Moved 2 jobs to their queues."))
	assert.Len(t, s.list("resque:queue:mail"), 3)
	tab.Do(browsertest.Navigate(base+"/delayed"), browsertest.Visible("Report"))
	s.delay(due+2, item("Newcomer", "[]", "mail"))
	tab.Do(browsertest.Visible("Newcomer")) // the page refreshes by itself
}

func TestBrowserRunSwitchDeleteSchedules(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: -1})
	s.fillSchedules()
	base := s.listen()
	row := func(name string) string { return `tr:has(button[value="` + name + `"]) ` }
	tab.Do(browsertest.Navigate(base+"/overview"), browsertest.Visible("Schedule"), keys("e"), at("schedule"), browsertest.Visible("It does not run:"),
		click(row("sync-acme")+`form[action$="disable"] button`), browsertest.Visible("Switched sync-acme off."),
		click(row("sync-acme")+`form[action$="enable"] button`), browsertest.Visible("Switched sync-acme on."),
		click(row("sync-acme")+`form[action$="requeue"] button`), browsertest.Visible("Enqueued sync-acme to queue low."),
		click(row("export-all")+`form[action$="requeue"] button`), browsertest.Visible("csv or xlsx"), browsertest.Fill(`#ask input[name="since"]`, "2026-01-01"),
		click(`#ask .buttons button`), browsertest.Visible("Enqueued export-all to queue exports."),
		click(row("cleanup")+`form[action$="schedule"] button`), browsertest.Visible("Delete schedule cleanup?"), click(`#ask .danger`), browsertest.Visible("Deleted schedule cleanup."))
	assert.Equal(t, []string{`{"class":"Sync","args":["acme"]}`}, s.list("resque:queue:low"))
	assert.Equal(t, []string{`{"class":"Exporter","args":[{"format":"csv","since":"2026-01-01"}]}`}, s.list("resque:queue:exports"))
	assert.EqualValues(t, 0, s.do("HEXISTS", "resque:persistent_schedules", "cleanup"))
}

// Delayed jobs and schedules are usable without JavaScript.
func TestBrowserSchedulesWithoutJavaScript(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	tab.DisableScripts()
	s := open(t, web.Config{})
	s.fillSchedules()
	due := soon(time.Hour)
	s.delay(due, item("Mail", "[1]", "mail"), item("Mail", "[2]", "mail"), item("Mail", "[3]", "mail"))
	base := s.listen()
	tab.Do(browsertest.Navigate(base+"/delayed"), click(`tbody tr:first-child .acts button:first-child`), browsertest.Present(`.flash`))
	s.holds("resque:queue:mail", 1)
	tab.Do(click(`tbody tr:nth-child(1) .pick input`), click(`tbody tr:nth-child(2) .pick input`), click(`.bulk .danger`), browsertest.Present(`.ask`),
		click(`.ask .danger`), browsertest.Present(`.flash button`))
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:delayed_queue_schedule"))
	tab.Do(browsertest.Navigate(base+"/schedule"), click(`tr:has(button[value="export-all"]) form[action$="requeue"] button`), browsertest.Present(`.ask`),
		browsertest.Fill(`.ask input[name="since"]`, "now"), click(`.ask .buttons button`), browsertest.Present(`.flash`))
	s.holds("resque:queue:exports", 1)
}
