package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/web"
)

func TestStatusesShowProgress(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	absent(t, s.get("/overview").Body.String(), "statuses", "there are none")
	present(t, s.get("/statuses").Body.String(), "No statuses.", "page")
	s.fillStatuses()
	web.Forget(s.dashboard)
	present(t, s.get("/overview").Body.String(), "Statuses", "page")
	list := s.get("/statuses").Body.String()
	for _, text := range []string{
		"YearlyStatement", "{&#34;year&#34;:2026,&#34;format&#34;:&#34;csv&#34;}", "41 %", "4,120 of 10,000", "writing the statements", "queued", "completed", "killed",
		"503 from https://catalog.hooli.example",
	} {
		present(t, list, text, "list")
	}
	told := s.get("/statuses?per_page=2&start=2", "Accept: application/json").told(t)
	assert.EqualValues(t, 9, told["Total"])
	rows := told["Statuses"].([]any)
	require.Len(t, rows, 2)
	assert.Equal(t, "CatalogImport", rows[1].(map[string]any)["Job"].(map[string]any)["Class"])
	assert.Empty(t, rows[0].(map[string]any)["Message"])
	assert.EqualValues(t, 1, s.get("/statuses?per_page=8&page=2", "Accept: application/json").told(t)["Expired"])
	present(t, s.get("/statuses?per_page=8&page=2").Body.String(), "have expired", "page")

	page := s.get("/statuses/" + runningStatus).Body.String()
	for _, text := range []string{"YearlyStatement", "Kill the job", "4,120 of 10,000", "working", runningStatus} {
		present(t, page, text, "page")
	}
	assert.Equal(t, http.StatusNotFound, s.get("/statuses/gone").Code)
	assert.Equal(t, http.StatusNotFound, s.get("/statuses/gone.js").Code)
	s.do("DEL", "resque:_statuses")
	s.do("SET", "resque:_statuses", "x")
	present(t, s.get("/statuses").Body.String(), "WRONGTYPE", "page")
}

// Programs get a status as Ruby's front end returns it.
func TestStatusForPrograms(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SET", "resque:status:a", `{"time":1,"status":"working","uuid":"a","options":{"token":"secret"},"name":"Export({\"token\"=>\"secret\"})","num":1,"total":4,"message":"for secret"}`)
	answer := s.get("/statuses/a.js")
	assert.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	assert.Equal(t, `{"time":1,"status":"working","uuid":"a","options":{"token":"secret"},"name":"Export({\"token\"=>\"secret\"})","num":1,"total":4,"message":"for secret","pct_complete":25}`,
		strings.TrimSpace(answer.Body.String()))
	for hidden, cfg := range map[string]web.Config{
		`{"time":1,"status":"working","uuid":"a","options":{"token": "[redacted]"},"name":"Export","num":1,"total":4,"pct_complete":25}`: {RedactKeys: []string{"token"}},
		`{"time":1,"status":"working","uuid":"a","options":"…","name":"Export","num":1,"total":4,"pct_complete":25}`:                     {HideArgs: true},
	} {
		h := openOn(t, s.server, cfg)
		assert.JSONEq(t, hidden, h.get("/statuses/a.js").Body.String())
		s.do("ZADD", "resque:_statuses", 1, "a")
		for _, path := range []string{"/statuses", "/statuses/a", "/statuses/a.json", "/statuses.json"} {
			absent(t, h.get(path).Body.String(), "secret", path)
		}
	}
	s.do("SET", "resque:status:odd", "not JSON")
	assert.JSONEq(t, `{"uuid":"odd","status":"","pct_complete":0}`, s.get("/statuses/odd.js").Body.String())
	assert.Equal(t, http.StatusOK, s.get("/statuses/odd").Code)
}

func TestKillAndClearStatuses(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fillStatuses()
	path := "/statuses/" + runningStatus + "/kill"
	present(t, s.post(path, "x=1").Body.String(), "Kill this job?", "page")
	assert.EqualValues(t, 0, s.do("SCARD", "resque:_kill"))
	require.Equal(t, http.StatusSeeOther, s.post(path, "sure=1").Code)
	assert.EqualValues(t, 1, s.do("SISMEMBER", "resque:_kill", runningStatus))
	ended := runningStatus[:len(runningStatus)-1] + "6"
	assert.Equal(t, http.StatusConflict, s.post("/statuses/"+ended+"/kill", "sure=1").Code)
	assert.Equal(t, http.StatusNotFound, s.post("/statuses/gone/kill", "sure=1").Code)
	assert.Equal(t, http.StatusMethodNotAllowed, s.get(path).Code)

	present(t, s.post("/statuses/clear/completed", "x=1").Body.String(), "Remove the statuses of completed jobs?", "page")
	for path, done := range map[string]float64{"/statuses/clear/completed": 1, "/statuses/clear/failed": 1} {
		assert.Equal(t, done, s.post(path, "sure=1", "Accept: application/json").told(t)["done"], path)
	}
	assert.Equal(t, http.StatusNotFound, s.get("/statuses/"+ended).Code)
	assert.InDelta(t, 6, s.post("/statuses/clear", "sure=1", "Accept: application/json").told(t)["done"], 0)

	reader := openOn(t, s.server, web.Config{ReadOnly: true})
	s.fillStatuses()
	absent(t, reader.get("/statuses").Body.String(), "/kill", "a reader may not kill")
	assert.Equal(t, http.StatusForbidden, reader.post(path, "sure=1").Code)
	assert.Equal(t, http.StatusForbidden, reader.post("/statuses/clear", "sure=1").Code)
}

// The bars move on the open pages, and a job can be killed.
func TestBrowserStatusesMove(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: time.Second})
	write := func(num int, state string) {
		s.do("SET", "resque:status:"+runningStatus, fmt.Sprintf(`{"time":1,"status":%q,"uuid":%q,"options":{"id":7},"name":"Export({\"id\"=>7})","num":%d,"total":4,"message":"part %d"}`, state, runningStatus, num, num))
	}
	write(1, "working")
	s.do("ZADD", "resque:_statuses", 1, runningStatus)
	s.worker("host~go:1:exports", ago(time.Second), working("exports", "Export", fmt.Sprintf(`[%q,{"id":7}]`, runningStatus), time.Minute))
	base := s.listen()
	tab.Do(browsertest.Navigate(base+"/working"), browsertest.Present(`.progress progress[value="25"]`), browsertest.Visible("part 1"))
	write(2, "working")
	tab.Do(browsertest.Present(`.progress progress[value="50"]`), browsertest.Visible("part 2"), click(`.progress a`), browsertest.Visible("2 of 4"))
	write(3, "working")
	tab.Do(browsertest.Visible("3 of 4"), click(`details.more summary`), click(`a[data-tab="statuses"]`), at("statuses"), browsertest.Visible("3 of 4"),
		click(`td.acts button`), browsertest.Visible("Kill this job?"), click(`#ask .danger`), browsertest.Visible("Told the job to end."))
	assert.EqualValues(t, 1, s.do("SISMEMBER", "resque:_kill", runningStatus))
	write(3, "killed")
	tab.Do(browsertest.Visible("killed"))
}

// A question on a separate page leads back to the previous page, because its address has no
// page for GET.
func TestQuestionsLeadBack(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fillStatuses()
	s.failures(1)
	for path, c := range map[string]struct{ form, back string }{
		"/statuses/" + runningStatus + "/kill": {"x=1", "../../statuses/" + runningStatus},
		"/statuses/clear/failed":               {"x=1", "../../statuses"},
		"/workers/prune":                       {"back=workers%3Fpage%3D2", "../workers?page=2"},
		"/workers/pause":                       {"x=1", "../workers"},
		"/failed/remove/0":                     {"", "../../failed"},
	} {
		page := s.post(path, c.form).Body.String()
		if c.form == "" {
			page = s.get(path).Body.String()
		}
		present(t, page, `<a href="`+c.back+`">Cancel</a>`, path)
		present(t, page, `name="back" value="`+strings.TrimLeft(c.back, "./"), path)
		present(t, page, `data-refresh="0"`, path)
	}
}
