package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// ids returns the ids of the failures on the page, newest first.
func (s *site) ids() []string {
	s.t.Helper()
	var ids []string
	for _, input := range elements(parse(s.t, s.get("/failed").Body.String()), "input") {
		if attr(input, "name") == "ids" {
			ids = append(ids, attr(input, "value"))
		}
	}
	return ids
}

// says returns the message that the page after an action shows.
func (s *site) says(a answer) string {
	s.t.Helper()
	require.Equal(s.t, http.StatusSeeOther, a.Code, "%.500s", a.Body)
	page := s.get("/overview", "Cookie: "+strings.SplitN(a.Header().Get("Set-Cookie"), ";", 2)[0])
	for _, div := range elements(parse(s.t, page.Body.String()), "div") {
		if strings.HasPrefix(attr(div, "class"), "flash") {
			return div.words()
		}
	}
	return ""
}

// undo presses the Undo button of the page after an action.
func (s *site) undo(a answer) answer {
	s.t.Helper()
	page := s.get("/overview", "Cookie: "+strings.SplitN(a.Header().Get("Set-Cookie"), ";", 2)[0])
	for _, form := range elements(parse(s.t, page.Body.String()), "form") {
		if strings.Contains(attr(form, "action"), "trash/") {
			return s.post("/"+strings.TrimPrefix(attr(form, "action"), "./"), "back=failed")
		}
	}
	s.t.Fatal("the page has no Undo button")
	return answer{}
}

func TestRetryOne(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	payload := `{"class":"Exporter","args":[1.0,{"b":1,"a":[]}],"extra":"<&>"}`
	s.fail(strings.Replace(record("Exporter", "[]", "E", "no", "exports", time.Now(), ""), `{"class":"Exporter","args":[]}`, payload, 1))
	id := s.ids()[0]
	a := s.post("/failed/requeue/"+id, "back=failed%3Fpage%3D1")
	assert.Equal(t, "../../failed?page=1", a.Header().Get("Location"))
	assert.Equal(t, "Retried 1 job.", s.says(a))
	assert.Equal(t, []string{payload}, s.list("resque:queue:exports"), "byte for byte")
	assert.Contains(t, s.list("resque:failed")[0], `"retried_at":"20`)
	present(t, s.get("/failed").Body.String(), `<span class="tag good">retried</span>`, "/failed")

	// The page is now out of date: its id names a record that no longer exists.
	assert.Equal(t, http.StatusConflict, s.post("/failed/requeue/"+id, "").Code)
	assert.Equal(t, http.StatusConflict, s.post("/failed/remove/"+id, "").Code)
	now := s.ids()[0]
	ask := s.post("/failed/requeue/"+now, "")
	assert.Equal(t, http.StatusOK, ask.Code)
	present(t, ask.Body.String(), "Retry this job again?", "a second retry asks")
	assert.Len(t, s.list("resque:queue:exports"), 1)
	assert.Equal(t, http.StatusSeeOther, s.submit(ask, nil).Code)
	assert.Equal(t, []string{payload, payload}, s.list("resque:queue:exports"))
}

// submit answers a question with its own form and the given fields.
func (s *site) submit(a answer, more url.Values) answer {
	s.t.Helper()
	for _, form := range elements(parse(s.t, a.Body.String()), "form") {
		values := url.Values{}
		for _, input := range elements(form, "input") {
			values.Add(attr(input, "name"), attr(input, "value"))
		}
		if values.Get("sure") == "" {
			continue
		}
		for name, value := range more {
			values[name] = value
		}
		base, err := url.Parse("http://example.com" + a.path)
		require.NoError(s.t, err)
		to, err := base.Parse(attr(form, "action"))
		require.NoError(s.t, err)
		return s.post(to.RequestURI(), values.Encode())
	}
	s.t.Fatalf("%s asks nothing: %.2000s", a.path, a.Body)
	return answer{}
}

func TestRetryToAnotherQueueWithOtherArguments(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(3)
	ids := s.ids()
	require.Equal(t, http.StatusSeeOther, s.post("/failed/requeue/"+ids[0], "queue=slow").Code)
	assert.Equal(t, []string{`{"class":"Mailer","args":[2]}`}, s.list("resque:queue:slow"))
	require.Equal(t, http.StatusSeeOther, s.post("/failed/requeue/"+ids[1], "queue=&args="+escape(`[ 7, {"b": 1.0, "a": "<>"} ]`)).Code)
	assert.Equal(t, []string{`{"class":"Exporter","args":[7,{"b":1.0,"a":"<>"}]}`}, s.list("resque:queue:exporters"))
	for _, args := range []string{"{}", "[1", "[1] [2]", "null", "x", `["a" 1]`} {
		a := s.post("/failed/requeue/"+ids[2], "args="+escape(args))
		assert.Equal(t, http.StatusBadRequest, a.Code, args)
	}
	a := s.post("/failed/requeue/"+ids[2], "remove=1")
	assert.Equal(t, "Retried 1 job. Undo", s.says(a), "Undo restores the failure")
	assert.Len(t, s.list("resque:failed"), 2)
	require.Equal(t, http.StatusSeeOther, s.undo(a).Code)
	assert.Len(t, s.list("resque:failed"), 3)
	assert.Len(t, s.list("resque:queue:exporters"), 2)
}

func TestRubysPositionsAskFirst(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(3)
	before := dump(t, s)
	ask := s.get("/failed/requeue/1")
	present(t, ask.Body.String(), "Exporter", "the question names the job")
	assert.Equal(t, before, dump(t, s), "a GET changes nothing")
	moved := s.post("/failed/requeue/1", "")
	present(t, moved.Body.String(), "Retry this job?", "a POST with a position alone asks")
	assert.Equal(t, before, dump(t, s))
	s.do("LPOP", "resque:failed") // what the page showed is at another position now
	require.Equal(t, http.StatusSeeOther, s.submit(ask, nil).Code)
	assert.Equal(t, []string{`{"class":"Exporter","args":[1]}`}, s.list("resque:queue:exporters"))
	assert.Empty(t, s.list("resque:queue:mailers"))

	a := s.post("/failed/requeue/1?sure=1", "sure=1", "X-Requested-With: XMLHttpRequest")
	assert.Equal(t, http.StatusOK, a.Code)
	assert.Regexp(t, `^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d UTC$`, a.Body.String(), "the text that Ruby's script shows")
	assert.Len(t, s.list("resque:queue:mailers"), 1)
}

func TestRemoveAndUndo(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(5)
	all := s.list("resque:failed")
	ids := s.ids()
	a := s.post("/failed/remove/"+ids[4], "")
	assert.Equal(t, "Removed 1 failure. Undo", s.says(a))
	assert.Equal(t, all[1:], s.list("resque:failed"))
	assert.Equal(t, http.StatusSeeOther, s.undo(a).Code)
	assert.ElementsMatch(t, all, s.list("resque:failed"))
	assert.Equal(t, http.StatusGone, s.undo(a).Code, "a second time")

	ids = s.ids()
	ask := s.post("/failed/remove", "ids="+ids[0]+"&ids="+ids[1]+"&back=failed%3Fpage%3D1")
	present(t, ask.Body.String(), "Remove 2 failures?", "removing several asks first")
	a = s.submit(ask, nil)
	assert.Equal(t, "../failed?page=1", a.Header().Get("Location"), "the answer leads back to the page")
	assert.Equal(t, "Removed 2 failures. Undo", s.says(a))
	assert.Len(t, s.list("resque:failed"), 3)
	a = s.submit(ask, nil)
	assert.Equal(t, "Removed 0 failures. 2 were skipped: they were removed, damaged or already retried.", s.says(a))

	never := openOn(t, s.server, web.Config{KeepRemoved: -1})
	a = never.post("/failed/remove/"+s.ids()[0], "")
	assert.Equal(t, "Removed 1 failure.", never.says(a))
}

func TestRetrySelected(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(4)
	s.fail(`{"damaged`)
	ids := s.ids()
	a := s.post("/failed/requeue", "ids="+strings.Join(ids, "&ids="))
	assert.Equal(t, "Retried 4 failures. 1 was skipped: it was removed, damaged or already retried.", s.says(a))
	assert.Len(t, s.list("resque:queue:exporters"), 3)
	for _, form := range []string{"", "ids=", "ids=x", "ids=0-zz"} {
		assert.Equal(t, http.StatusBadRequest, s.post("/failed/requeue", form).Code, form)
	}
	told := s.post("/failed/requeue", "ids="+s.ids()[1], "Accept: application/json").told(t)
	assert.EqualValues(t, 0, told["done"])
	assert.EqualValues(t, 1, told["missing"])
}

func TestAllMatching(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(9)
	ask := s.post("/failed/requeue/all", "class=Mailer")
	present(t, ask.Body.String(), "Retry 3 failures?", "the question has the number")
	assert.Empty(t, s.list("resque:queue:mailers"))
	assert.Equal(t, "Retried 3 failures.", s.says(s.submit(ask, nil)))
	assert.Len(t, s.list("resque:queue:mailers"), 3)
	assert.Empty(t, s.list("resque:queue:exporters"))
	assert.Equal(t, "Retried 0 failures.", s.says(s.submit(ask, nil)), "not again")
	assert.Equal(t, "Retried 3 failures.", s.says(s.submit(ask, url.Values{"again": {"1"}})), "unless the form says again")

	a := s.post("/failed/clear_retried", "sure=1")
	assert.Equal(t, "Removed 3 failures. Undo", s.says(a))
	assert.Len(t, s.list("resque:failed"), 6)
	assert.Equal(t, http.StatusSeeOther, s.undo(a).Code)
	assert.Len(t, s.list("resque:failed"), 9)
	a = s.post("/failed/clear?q=busy", "sure=1&q=busy")
	assert.Equal(t, "Removed 3 failures. Undo", s.says(a))
	a = s.post("/failed/clear", "sure=1")
	assert.Equal(t, "Removed 6 failures. Undo", s.says(a))
	assert.Empty(t, s.list("resque:failed"))
}

// Above 100 entries the user types the number, which must be the present one.
func TestManyAreTyped(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(101)
	ask := s.post("/failed/clear", "")
	present(t, ask.Body.String(), "type the number", "above 100")
	for _, typed := range []string{"", "100", "x"} {
		again := s.submit(ask, url.Values{"typed": {typed}})
		assert.Equal(t, http.StatusOK, again.Code, typed)
		present(t, again.Body.String(), "does not match", "%q", typed)
	}
	assert.Len(t, s.list("resque:failed"), 101)
	for _, form := range []string{"", "sure=1", "sure=1&typed=101", "sure=1&count=101", "sure=1&count=1&typed=1"} {
		assert.Equal(t, http.StatusBadRequest, s.post("/failed/clear", form, "Accept: application/json").Code, form)
	}
	assert.Len(t, s.list("resque:failed"), 101)
	assert.Equal(t, "Removed 101 failures. Undo", s.says(s.submit(ask, url.Values{"typed": {"101"}})))
}

// Each action on more than 100 entries needs their number, also from a script.
func TestNumberIsNeeded(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(101)
	s.do("SADD", "resque:queues", "a")
	for i := range 101 {
		s.do("RPUSH", "resque:queue:a", `{"class":"A","args":[`+strconv.Itoa(i)+`]}`)
		s.delay(4102444800+int64(i), item("A", fmt.Sprintf("[%d]", i), "a"))
	}
	ids := strings.Repeat("&ids=0-0123456789abcdef", 101)
	delayed := strings.Repeat("&ids="+s.delayedIDs("/delayed")[0], 101)
	for path, form := range map[string]string{
		"/failed/clear": "", "/failed/requeue/all": "", "/failed/remove": ids, "/delayed/queue_now/all": "", "/delayed/clear": "",
		"/delayed/cancel_now": delayed, "/queues/a/clear": "", "/queues/a/remove": "", "/queues/a/jobs/remove": ids,
		"/queues/a/jobs/matching": "&class=A", "/queues/a/jobs/matching/move": "&class=A&to=b",
	} {
		a := s.post(path, "sure=1"+form, "Accept: application/json")
		assert.Equal(t, http.StatusBadRequest, a.Code, path)
		assert.Contains(t, a.Body.String(), "confirm", path)
	}
	assert.Len(t, s.list("resque:failed"), 101)
	assert.Len(t, s.list("resque:queue:a"), 101)
}

func TestListsByQueue(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", "resque:failed_queues", "exports_failed", "mail_failed")
	s.do("RPUSH", "resque:exports_failed", record("Exporter", "[1]", "E", "no", "exports", time.Now().Add(-2*time.Hour), ""))
	s.do("RPUSH", "resque:mail_failed", record("Mailer", "[1]", "E", "no", "mail", time.Now().Add(-time.Hour), ""))
	s.fail(record("Old", "[1]", "E", "no", "old", time.Now().Add(-3*time.Hour), ""))
	page := s.get("/failed").Body.String()
	assert.Less(t, strings.Index(page, ">Mailer<"), strings.Index(page, ">Exporter<"), "the newest of all lists first")
	assert.Less(t, strings.Index(page, ">Exporter<"), strings.Index(page, ">Old<"))
	page = s.get("/failed/exports_failed").Body.String()
	present(t, page, ">Exporter<", "one list")
	absent(t, page, ">Mailer<", "one list")
	require.Equal(t, http.StatusSeeOther, s.submit(s.get("/failed/exports_failed/requeue/0"), nil).Code)
	assert.Len(t, s.list("resque:queue:exports"), 1)
	s.post("/failed/mail_failed/clear", "sure=1")
	assert.Empty(t, s.list("resque:mail_failed"))
	assert.Len(t, s.list("resque:failed"), 1)
	assert.Len(t, s.list("resque:exports_failed"), 1)
}

// Two users act on one failure at the same time. One succeeds and the other gets an
// error. No other failure is touched, and nothing is done twice.
func TestRacesOnOneFailure(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	for round := range 30 {
		s.do("DEL", "resque:failed", "resque:queue:exporters", "resque:queue:mailers")
		s.failures(3)
		web.Forget(s.dashboard)                          // the other dashboard may have acted last
		other := newDashboard(t, s.server, web.Config{}) // stands for another process
		id := s.ids()[1]
		paths := []string{"/failed/requeue/" + id, "/failed/remove/" + id, "/failed/requeue/" + id}
		codes := make([]int, len(paths))
		var all sync.WaitGroup
		for i, path := range paths {
			all.Go(func() {
				h := http.Handler(s.dashboard)
				if i == 1 {
					h = other
				}
				codes[i] = ask(t, h, http.MethodPost, path, "x=1").Code
			})
		}
		all.Wait()
		retried, left := s.list("resque:queue:exporters"), s.list("resque:failed")
		assert.Empty(t, s.list("resque:queue:mailers"), "round %d: another job was retried", round)
		require.LessOrEqual(t, len(retried), 1)
		require.Contains(t, []int{2, 3}, len(left))
		assert.Contains(t, left[0], `"args":[0]`)
		assert.Contains(t, left[len(left)-1], `"args":[2]`)
		done := 0
		for _, code := range codes {
			require.Contains(t, []int{http.StatusSeeOther, http.StatusConflict, http.StatusOK}, code, "%v", codes)
			if code == http.StatusSeeOther {
				done++
			}
		}
		assert.Equal(t, 1, done, "%v", codes)
	}
}

func TestNewFailuresDoNotMoveWhatIsRead(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 2})
	s.failures(6)
	next := s.pagerLink("/failed", "2")
	assert.Equal(t, []string{"[3]", "[2]"}, s.args(next))
	s.failures(1)
	web.Forget(s.dashboard)
	assert.Equal(t, []string{"[3]", "[2]"}, s.args(next))
	present(t, s.get(next).Body.String(), "1 newer failure – show", next)
	assert.Equal(t, []string{"[0]", "[1]"}, s.args("/failed?order=asc"))
	assert.Equal(t, []string{"[2]", "[3]"}, s.args("/failed?order=asc&start=2"), "Ruby's start")
	assert.Len(t, s.args("/failed?page=999"), 1, "the last page")
	assert.Len(t, s.args("/failed?page=-1"), 2)
	assert.Len(t, s.args("/failed?upto=99999&page=x"), 2)
}

// pagerLink returns the address of a page number.
func (s *site) pagerLink(path, number string) string {
	s.t.Helper()
	for _, a := range elements(parse(s.t, s.get(path).Body.String()), "a") {
		if a.words() == number && strings.HasPrefix(attr(a, "href"), "?") {
			return strings.SplitN(path, "?", 2)[0] + attr(a, "href")
		}
	}
	s.t.Fatalf("%s has no link to page %s", path, number)
	return ""
}

// args returns the arguments of the failures on a page.
func (s *site) args(path string) []string {
	s.t.Helper()
	var args []string
	for _, f := range s.get(path, "Accept: application/json").told(s.t)["Failures"].([]any) {
		args = append(args, fmt.Sprint(f.(map[string]any)["Job"].(map[string]any)["Args"]))
	}
	return args
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 2})
	s.failures(9)
	assert.Equal(t, []string{"[8]", "[5]"}, s.args("/failed?class=Mailer"))
	older := s.get("/failed?class=Mailer", "Accept: application/json").told(t)["Older"].(string)
	s.failures(3) // newer failures change nothing
	web.Forget(s.dashboard)
	assert.Equal(t, []string{"[2]"}, s.args("/failed"+older))
	assert.Equal(t, []string{"[2]", "[5]"}, s.args("/failed?class=Mailer&order=asc"))
	older = s.get("/failed?class=Mailer&order=asc", "Accept: application/json").told(t)["Older"].(string)
	assert.Equal(t, []string{"[8]", "[2]"}, s.args("/failed"+older))
	for query, want := range map[string]float64{
		"class=Mailer": 4, "class=mailer": 0, "exception=RuntimeError": 12, "queue=exporters": 8, "q=MAILBOX": 4, "q=retryable.rb": 12,
		"q=nowhere": 0, "since=1s": 0, "since=24h": 12, "since=2026-01-01": 12, "retried=yes": 0, "retried=no": 12, "class=Mailer&q=busy": 4,
	} {
		told := s.get("/failed?count=1&"+query, "Accept: application/json").told(t)
		assert.InDelta(t, want, told["Matching"], 0, query)
	}
	assert.Equal(t, http.StatusBadRequest, s.get("/failed?since=yesterday").Code)
	groups := s.get("/failed?view=groups", "Accept: application/json").told(t)["Groups"].([]any)
	require.Len(t, groups, 2)
	assert.EqualValues(t, 8, groups[0].(map[string]any)["Count"])
	assert.Equal(t, "mailbox busy", longest(groups[1].(map[string]any)["Link"].(string)))
	assert.Contains(t, s.get("/failed?view=groups").Body.String(), "N mailbox busy")
	assert.Len(t, s.args("/failed"+groups[1].(map[string]any)["Link"].(string)), 2, "the group's link finds it")
	present(t, s.get("/failed?class=A%26B%3D").Body.String(), `value="A&amp;B="`, "a name with an ampersand")
}

// longest returns the text that a group's link filters by.
func longest(link string) string {
	values, _ := url.ParseQuery(strings.TrimPrefix(link, "?"))
	return values.Get("q")
}

func TestLinksWithOddNames(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fail(record("A&B=c%20d", "[1]", "E#1?", "no", "..", time.Now(), ""))
	page := s.get(s.href("/failed", "failures/"))
	var same, queue string
	for _, link := range links(t, page.Body.String()) {
		if strings.Contains(link, "class=") {
			same = strings.TrimLeft(link, "./")
		}
		if strings.Contains(link, "name=") {
			queue = strings.TrimLeft(link, "./")
		}
	}
	assert.Len(t, s.args("/"+same), 1, same)
	present(t, s.get("/"+queue).Body.String(), "<h1>..", queue)
}

func TestOnActionHearsOfEverything(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	told := map[string]web.Action{}
	s := open(t, web.Config{OnAction: func(_ context.Context, a web.Action) {
		mu.Lock()
		defer mu.Unlock()
		told[a.Name] = a
	}})
	s.failures(6)
	ids := s.ids()
	s.post("/failed/requeue/"+ids[0], "")
	a := s.post("/failed/remove/"+ids[1], "")
	s.undo(a)
	s.post("/failed/requeue/all", "sure=1&class=Exporter")
	s.post("/failed/clear", "sure=1")
	s.post("/workers/pause", "sure=1")
	s.post("/workers/resume", "")
	s.post("/queues/exporters/clear", "sure=1")
	s.post("/queues/exporters/remove", "sure=1")
	mu.Lock()
	defer mu.Unlock()
	for name, count := range map[string]int64{"retry": 1, "remove": 1, "restore": 1, "retry all": 4, "clear all": 6, "pause": 1, "resume": 1, "clear queue": 4, "remove queue": 0} {
		require.Contains(t, told, name)
		assert.Equal(t, count, told[name].Count, name)
		require.NoError(t, told[name].Err, name)
		assert.Equal(t, "everyone", told[name].User, name)
	}
}

// A field of a filter that is empty is a variable that a script did not set.
func TestAnEmptyFieldDoesNotActOnAll(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(3)
	for _, path := range []string{"/failed/clear", "/failed/clear_retried", "/failed/requeue/all", "/failed/failed/clear"} {
		for _, form := range []string{"class=", "queue=", "exception=", "q=", "since=", "retried=", "class=Exporter&q=", "retried=maybe", "since=soon"} {
			a := s.post(path, "sure=1&"+form)
			assert.Equal(t, http.StatusBadRequest, a.Code, "%s with %s", path, form)
		}
	}
	present(t, s.post("/failed/clear", "sure=1&class=").Body.String(), "The field class is empty.", "the reason")
	assert.Equal(t, http.StatusBadRequest, s.post("/failed/clear?class=", "sure=1").Code, "in the address")
	assert.Len(t, s.list("resque:failed"), 3)
}
