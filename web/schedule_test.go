package web_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// schedules adds persistent entries.
func (s *site) schedules(byName map[string]string) {
	s.t.Helper()
	for name, config := range byName {
		s.do("HSET", "resque:persistent_schedules", name, config)
	}
}

// scheduled returns the rows of the list of schedules by name.
func (s *site) scheduled(query string) map[string]map[string]any {
	s.t.Helper()
	rows := map[string]map[string]any{}
	all, _ := s.get("/schedule"+query, "Accept: application/json").told(s.t)["Schedules"].([]any)
	for _, row := range all {
		rows[row.(map[string]any)["Name"].(string)] = row.(map[string]any)
	}
	return rows
}

const master = "resque:resque:resque_scheduler_master_lock"

func TestScheduleShowsWhatRunsAndWhen(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	rows := s.scheduled("")
	states := map[string]string{}
	for name, row := range rows {
		states[name] = row["State"].(string)
	}
	assert.Equal(t, map[string]string{
		"cleanup": "broken", "export-all": "on", "invoices": "on", "reindex": "on", "staging-data": "elsewhere", "sync-acme": "on", "sync-initech": "off",
	}, states)
	acme := rows["sync-acme"]
	next, _ := acme["Next"].([]any)
	require.Len(t, next, 3)
	first, err := time.Parse(time.RFC3339, next[0].(string))
	require.NoError(t, err)
	assert.True(t, first.After(time.Now()))
	assert.Zero(t, first.Minute()%15)
	assert.Empty(t, rows["sync-initech"]["Next"], "it is off")
	assert.Equal(t, "every 1 h", rows["reindex"]["When"])
	assert.Equal(t, true, rows["reindex"]["Static"])
	page := text(t, s.get("/schedule").Body.String())
	for _, want := range []string{
		"The Go scheduler on worker-2.example.com, process 917", `invalid cron line "61 * * * *"`, "only in the environment staging", "7 recurring jobs",
		"6 min ago", "never", "Invoices of the last month, to the accountants",
	} {
		assert.Contains(t, page, want)
	}
	assert.Len(t, s.scheduled("?q=SYNC"), 2)
	assert.Len(t, s.scheduled("?q=archive"), 1, "the class")
	present(t, s.get("/schedule?q=nobody").Body.String(), "No schedule matches the filter", "none")

	s.do("SET", master, "localhost:4242")
	page = text(t, s.get("/schedule").Body.String())
	assert.Contains(t, page, "Ruby's scheduler on localhost")
	assert.Contains(t, page, "It ignores whether a schedule is switched off")
	s.do("DEL", master)
	assert.Equal(t, "stopped", s.scheduled("")["sync-acme"]["State"])
	s.do("SET", master, "host~go:1:TOKEN")
	s.do("HDEL", "resque:goresque:schedule", "sync-acme")
	assert.Equal(t, "unloaded", s.scheduled("")["sync-acme"]["State"])
	s.schedules(map[string]string{"manual": `{"class":"Report","queue":"q"}`})
	assert.Equal(t, "idle", s.scheduled("")["manual"]["State"])
}

func TestSchedulesAreSortedByColumn(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	for query, want := range map[string][]string{
		"": {"cleanup", "export-all", "invoices"}, "?dir=desc": {"sync-initech", "sync-acme", "staging-data"},
		"?sort=job":          {"staging-data", "cleanup", "export-all"},
		"?sort=last&dir=asc": {"cleanup", "invoices", "staging-data"}, "?sort=job&q=sync": {"sync-acme", "sync-initech"},
	} {
		rows, _ := s.get("/schedule"+query, "Accept: application/json").told(t)["Schedules"].([]any)
		var names []string
		for _, row := range rows[:len(want)] {
			names = append(names, row.(map[string]any)["Name"].(string))
		}
		assert.Equal(t, want, names, query)
	}
	// Which one is next depends on the time of day. Those that do not run come last.
	var next []string
	for _, row := range s.get("/schedule?sort=next", "Accept: application/json").told(t)["Schedules"].([]any) {
		at := "never"
		if row := row.(map[string]any); row["State"] == "on" {
			at = row["Next"].([]any)[0].(string)
		}
		next = append(next, at)
	}
	assert.True(t, slices.IsSorted(next), next)
	assert.Equal(t, []string{"never", "never", "never"}, next[4:], next)
	present(t, s.get("/schedule?sort=next").Body.String(), `aria-sort="ascending"`, "the column")
}

func TestScheduleTab(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	tab := `data-tab="schedule"`
	absent(t, s.get("/overview").Body.String(), tab, "there are none")
	page := s.get("/schedule").Body.String()
	present(t, page, tab, "the page itself")
	present(t, page, "No schedules.", "where they come from")
	s.schedules(map[string]string{"a": `{"class":"A","queue":"q","every":"1h"}`})
	web.Forget(s.dashboard)
	present(t, s.get("/overview").Body.String(), tab, "there is one")
}

func TestRunAScheduleNow(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.schedules(map[string]string{
		"nightly <x>": `{"class":"Report","cron":"0 3 * * *","queue":"reports","args":[1.0,"a"]}`,
		"noqueue":     `{"class":"Report","cron":"0 3 * * *"}`,
		"export":      `{"class":"Exporter","cron":"0 3 * * *","queue":"exports","args":{"format":"csv"},"parameters":{"format":{"description":"csv or xlsx","default":"pdf"},"since":null}}`,
		"list":        `{"class":"Exporter","cron":"0 3 * * *","queue":"exports","args":[1,2],"parameters":{"format":{}}}`,
	})
	form := func(name string) string { return url.Values{"job_name": {name}}.Encode() }
	assert.Equal(t, "Enqueued nightly <x> to queue reports.", s.says(s.post("/schedule/requeue", form("nightly <x>"))))
	assert.Equal(t, []string{`{"class":"Report","args":[1.0,"a"]}`}, s.list("resque:queue:reports"))
	assert.Equal(t, http.StatusBadRequest, s.post("/schedule/requeue", form("noqueue")).Code)
	assert.Equal(t, http.StatusNotFound, s.post("/schedule/requeue", form("none")).Code)

	ask := s.post("/schedule/requeue", form("export"))
	for _, want := range []string{"Run export now?", "csv or xlsx", `value="pdf"`, `name="since"`} {
		present(t, ask.Body.String(), want, "its parameters")
	}
	assert.Empty(t, s.list("resque:queue:exports"))
	assert.Equal(t, "Enqueued export to queue exports.", s.says(s.post("/schedule/requeue_with_params", "job_name=export&format=pdf&since=2026-01-01&other=x")))
	assert.Equal(t, []string{`{"class":"Exporter","args":[{"format":"pdf","since":"2026-01-01"}]}`}, s.list("resque:queue:exports"))
	assert.Equal(t, http.StatusBadRequest, s.post("/schedule/requeue", form("export"), "Accept: application/json").Code, "a program sends the parameters")
	a := s.post("/schedule/requeue_with_params", "job_name=list&format=csv")
	assert.Equal(t, http.StatusBadRequest, a.Code)
	present(t, a.Body.String(), "one hash", "why")
}

func TestSwitchAndDeleteSchedules(t *testing.T) {
	t.Parallel()
	var told []web.Action
	s := open(t, web.Config{OnAction: func(_ context.Context, a web.Action) { told = append(told, a) }})
	s.fill()
	assert.Equal(t, "Switched sync-acme off. It enqueues no jobs until it is switched on.", s.says(s.post("/schedule/disable", "job_name=sync-acme")))
	assert.Equal(t, "off", s.scheduled("")["sync-acme"]["State"])
	assert.Equal(t, "Switched sync-acme on.", s.says(s.post("/schedule/enable", "job_name=sync-acme")))
	assert.Equal(t, "on", s.scheduled("")["sync-acme"]["State"])
	assert.Equal(t, http.StatusNotFound, s.post("/schedule/disable", "job_name=none").Code)

	ask := s.post("/schedule", "_method=delete&job_name=sync-acme")
	present(t, ask.Body.String(), "Delete schedule sync-acme?", "it asks")
	assert.Contains(t, s.scheduled(""), "sync-acme")
	assert.Equal(t, "Deleted schedule sync-acme.", s.says(s.submit(ask, nil)))
	assert.NotContains(t, s.scheduled(""), "sync-acme")
	assert.EqualValues(t, 1, s.do("SISMEMBER", "resque:schedules_changed", "sync-acme"), "schedulers see it")
	require.Equal(t, http.StatusSeeOther, s.ask(http.MethodDelete, "/schedule?job_name=export-all", "", "Sec-Fetch-Site: same-origin").Code)
	assert.NotContains(t, s.scheduled(""), "export-all")
	a := s.post("/schedule", "_method=delete&sure=1&job_name=invoices")
	assert.Equal(t, http.StatusBadRequest, a.Code)
	present(t, a.Body.String(), "is defined in the program", "it would come back")
	assert.Equal(t, http.StatusBadRequest, s.post("/schedule", "sure=1&job_name=cleanup").Code, "without _method")
	assert.Equal(t, "Deleted schedule cleanup.", s.says(s.post("/schedule", "_method=delete&sure=1&job_name=cleanup")), "one that cannot run")
	names := map[string]int{}
	for _, a := range told {
		names[a.Name]++
	}
	assert.Equal(t, 3, names["delete schedule"])
	assert.Equal(t, 1, names["switch off schedule"])
	assert.Equal(t, 403, openOn(t, s.server, web.Config{ReadOnly: true}).ask(http.MethodDelete, "/schedule?job_name=staging-data", "").Code)
}

// Entries that cannot be read, and a key of another type, are shown.
func TestDamagedSchedules(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.schedules(map[string]string{
		"not json": "x", "<script>alert(1)</script>": `{"class":"<img onerror=x>","cron":"0 3 * * *","queue":"<b>","description":"<i>","parameters":{"<u>":{"default":"<s>"}}}`,
		"number": `{"class":"A","every":30}`, "": `{}`,
	})
	page := s.get("/schedule")
	require.Equal(t, http.StatusOK, page.Code)
	absent(t, page.Body.String(), "<script>alert", "escaped")
	present(t, page.Body.String(), "not JSON", "why")
	absent(t, s.post("/schedule/requeue", url.Values{"job_name": {"<script>alert(1)</script>"}}.Encode()).Body.String(), "<u>", "escaped")
	for _, form := range []string{"job_name=not+json", "job_name=number"} {
		assert.Equal(t, http.StatusBadRequest, s.post("/schedule/requeue", form).Code, form)
	}
	s.do("SET", "resque:goresque:schedule", "text")
	for _, path := range []string{"/schedule", "/schedule.json"} {
		assert.Equal(t, http.StatusOK, s.get(path).Code, path)
	}
	present(t, s.get("/schedule").Body.String(), "WRONGTYPE", "why")
}
