package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// delay adds delayed jobs, as Ruby does.
func (s *site) delay(second int64, items ...string) {
	s.t.Helper()
	for _, item := range items {
		s.do("RPUSH", fmt.Sprintf("resque:delayed:%d", second), item)
		s.do("SADD", "resque:timestamps:"+item, fmt.Sprintf("delayed:%d", second))
		s.do("ZADD", "resque:delayed_queue_schedule", second, second)
	}
}

// soon returns a second that is in the future.
func soon(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func item(class, args, queue string) string {
	return fmt.Sprintf(`{"class":%q,"args":%s,"queue":%q}`, class, args, queue)
}

// delayedIDs returns the ids of the delayed jobs on a page.
func (s *site) delayedIDs(path string) []string {
	s.t.Helper()
	var ids []string
	for _, input := range elements(parse(s.t, s.get(path).Body.String()), "input") {
		if attr(input, "name") == "ids" {
			ids = append(ids, attr(input, "value"))
		}
	}
	return ids
}

// delayedArgs returns the arguments of the delayed jobs on a page, and the address of the next.
func (s *site) delayedArgs(path string) (args []string, next string) {
	s.t.Helper()
	page := s.get(path, "Accept: application/json").told(s.t)
	jobs, _ := page["Jobs"].([]any)
	for _, job := range jobs {
		args = append(args, fmt.Sprint(job.(map[string]any)["Job"].(map[string]any)["Args"]))
	}
	next, _ = page["Next"].(string)
	return args, next
}

func TestDelayedPagesInOrderOfTime(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 3})
	first := soon(time.Hour)
	for i := range 7 {
		s.delay(first+int64(i/2*10), item("Mail", fmt.Sprintf("[%d]", i), "mail"))
	}
	for _, path := range []string{"/delayed", "/delayed?within=24h", "/delayed?class=Mail"} {
		var all []string
		pages := 0
		for at := path; at != ""; pages++ {
			args, next := s.delayedArgs(at)
			all = append(all, args...)
			if at = next; at != "" {
				at = "/delayed" + next
			}
		}
		assert.Equal(t, []string{"[0]", "[1]", "[2]", "[3]", "[4]", "[5]", "[6]"}, all, path)
		assert.Equal(t, 3, pages, path)
	}
	args, _ := s.delayedArgs("/delayed?start=2") // Ruby: the third second
	assert.Equal(t, []string{"[4]", "[5]", "[6]"}, args)
	args, _ = s.delayedArgs("/delayed?start=99")
	assert.Empty(t, args)
	args, _ = s.delayedArgs(fmt.Sprintf("/delayed/%d", first+10))
	assert.Equal(t, []string{"[2]", "[3]"}, args)
	args, _ = s.delayedArgs(fmt.Sprintf("/delayed/%d?start=1", first+10))
	assert.Equal(t, []string{"[3]"}, args)
	args, _ = s.delayedArgs(fmt.Sprintf("/delayed/%d.json", first+20))
	assert.Equal(t, []string{"[4]", "[5]"}, args)
	page := s.get("/delayed")
	present(t, page.Body.String(), "7 jobs", "the number of jobs")
	present(t, page.Body.String(), "in 59 min", "when")
	present(t, s.get(fmt.Sprintf("/delayed/%d", first+20)).Body.String(), "2 jobs", "the number of jobs of a second")
	assert.Contains(t, s.get("/delayed.poll").Body.String(), `data-live="main"`)
	for _, path := range []string{"/delayed?from=x", "/delayed?from=1:x", "/delayed?within=soon", "/delayed?args=42", "/delayed?at=x", "/delayed/jobs/Mail?args=%7B"} {
		assert.Equal(t, http.StatusBadRequest, s.get(path).Code, path)
	}
	for _, path := range []string{"/delayed/x", "/delayed/9223372036854775807"} {
		assert.Equal(t, http.StatusNotFound, s.get(path).Code, path)
	}
}

func TestDelayedFilters(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.delay(soon(time.Minute), item("Mail", `[1]`, "mail"), item("Mail", `[1.0]`, "mail"), item("Mail", `[]`, "slow"))
	s.delay(soon(2*time.Hour), item("Report", `[{"id": 9}]`, "reports"), item("Mail", `[ 1 ]`, "mail"))
	for path, want := range map[string]string{
		"/delayed?class=Mail":                                "[1] [1.0] [] [1]",
		"/delayed?class=Mail&args=" + escape(`[1]`):          "[1] [1]",
		"/delayed?args=" + escape(`[{"id":9}]`):              `[map[id:9]]`,
		"/delayed?queue=slow":                                "[]",
		"/delayed?q=REP":                                     `[map[id:9]]`,
		"/delayed?within=1h":                                 "[1] [1.0] []",
		"/delayed/jobs/Mail":                                 "[]",
		"/delayed/jobs/Mail?args=" + escape(`[1]`):           "[1] [1]",
		"/delayed/jobs/Nothing?args=" + escape(`["nobody"]`): "",
	} {
		page := s.get(path, "Accept: application/json")
		var found []string
		jobs, _ := page.told(t)["Jobs"].([]any)
		for _, job := range jobs {
			found = append(found, fmt.Sprint(job.(map[string]any)["Job"].(map[string]any)["Args"]))
		}
		want = strings.ReplaceAll(want, "[1.0]", "[1]") // as JSON numbers
		assert.Equal(t, want, strings.Join(found, " "), path)
	}
	present(t, s.get("/delayed?class=Mail").Body.String(), "4 match.", "the number")
	present(t, s.get("/delayed?class=Nobody").Body.String(), "No delayed job matches the filter", "none")
	present(t, s.get("/delayed").Body.String(), "All times of this job with these arguments", "a link to equal jobs")
}

func TestRunAndCancelDelayedJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	at := soon(time.Hour)
	list := fmt.Sprintf("resque:delayed:%d", at)
	s.delay(at, item("Mail", `[1.0]`, "mail"), item("Mail", `[2]`, "mail"), item("Report", `["<b>"]`, "reports"), "damaged", item("Mail", `[5]`, "mail"))
	ids := s.delayedIDs("/delayed")
	require.Len(t, ids, 5)
	a := s.post("/delayed/queue_now/"+ids[0], "")
	assert.Equal(t, "Moved 1 job to its queue.", s.says(a))
	assert.Equal(t, []string{`{"class":"Mail","args":[1.0]}`}, s.list("resque:queue:mail"), "the same bytes")
	assert.True(t, s.isQueue("mail"))

	a = s.post("/delayed/cancel_now/"+ids[1], "back=delayed")
	assert.Equal(t, "Canceled 1 job. Undo", s.says(a), "found at its new position")
	assert.Len(t, s.list(list), 3)
	require.Equal(t, http.StatusSeeOther, s.undo(a).Code)
	assert.Contains(t, s.list(list), item("Mail", `[2]`, "mail"))
	assert.EqualValues(t, 1, s.do("SISMEMBER", "resque:timestamps:"+item("Mail", `[2]`, "mail"), fmt.Sprintf("delayed:%d", at)))

	assert.Equal(t, http.StatusConflict, s.post("/delayed/queue_now/"+ids[0], "").Code, "it was moved")
	assert.Equal(t, http.StatusUnprocessableEntity, s.post("/delayed/queue_now/"+ids[3], "").Code, "damaged")
	assert.Equal(t, http.StatusBadRequest, s.post("/delayed/queue_now/x", "").Code)
	for _, form := range []string{"", "ids=x", "ids=1:2-3", "timestamp=x", "timestamp=9223372036854775807"} {
		assert.Equal(t, http.StatusBadRequest, s.post("/delayed/queue_now", form).Code, form)
		assert.Equal(t, http.StatusBadRequest, s.post("/delayed/cancel_now", form).Code, form)
	}

	ids = s.delayedIDs("/delayed")
	a = s.post("/delayed/queue_now", "ids="+strings.Join(ids, "&ids="))
	assert.Equal(t, "Moved 3 jobs to their queues. 1 is damaged and cannot be run.", s.says(a))
	assert.Equal(t, []string{"damaged"}, s.list(list))
	assert.Equal(t, []string{`{"class":"Report","args":["<b>"]}`}, s.list("resque:queue:reports"))
	s.delay(at, item("Mail", `[6]`, "mail"))
	ask := s.post("/delayed/cancel_now", "ids="+strings.Join(append(s.delayedIDs("/delayed"), ids[0]), "&ids="))
	present(t, ask.Body.String(), "Cancel 3 jobs?", "several")
	a = s.submit(ask, nil)
	assert.Equal(t, "Canceled 2 jobs. 1 no longer existed. Undo", s.says(a))
	assert.Empty(t, s.list(list))
	assert.Equal(t, map[string]any{"done": 0.0, "missing": 2.0, "trash": nil},
		s.post("/delayed/cancel_now", "sure=1&ids="+ids[0]+"&ids="+ids[1], "Accept: application/json").told(t))
}

// Ruby's forms name a second instead of a job.
func TestRubysFormsOfDelayedJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	at := soon(time.Hour)
	list, second := fmt.Sprintf("resque:delayed:%d", at), strconv.FormatInt(at, 10)
	s.delay(at, item("Mail", `[1]`, "mail"), item("Mail", `[2]`, "mail"), item("Mail", `[3]`, "mail"), item("Mail", `[3]`, "mail"))
	ask := s.post("/delayed/queue_now", "timestamp="+second)
	present(t, ask.Body.String(), "Run this job now?", "it asks about the first job")
	assert.Len(t, s.list(list), 4)
	s.do("LPOP", list)
	assert.Equal(t, http.StatusConflict, s.submit(ask, nil).Code, "another job is the first one")
	assert.Equal(t, "Moved 1 job to its queue.", s.says(s.submit(s.post("/delayed/queue_now", "timestamp="+second), nil)))
	assert.Equal(t, []string{`{"class":"Mail","args":[2]}`}, s.list("resque:queue:mail"))
	assert.Equal(t, http.StatusGone, s.post("/delayed/queue_now", "timestamp=7").Code)

	for _, form := range []string{"klass=Mail", "args=[3]", "klass=Mail&args=x"} {
		assert.Equal(t, http.StatusBadRequest, s.post("/delayed/cancel_now", "timestamp="+second+"&"+form).Code, form)
	}
	assert.Equal(t, "Canceled 0 jobs.", s.says(s.post("/delayed/cancel_now", "timestamp="+second+"&klass=Mail&args=[]")))
	a := s.post("/delayed/cancel_now", url.Values{"timestamp": {second}, "klass": {"Mail"}, "args": {"[3]"}}.Encode())
	assert.Equal(t, "Canceled 2 jobs. Undo", s.says(a), "all equal jobs of the second")
	assert.Empty(t, s.list(list))
}

func TestAllMatchingDelayedJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	at := soon(time.Hour)
	for i := range 150 {
		s.delay(at+int64(i), item("Mail", fmt.Sprintf("[%d]", i), "mail"), item("Report", "[]", "reports"))
	}
	page := s.get("/delayed?class=Report")
	ask := s.post("/delayed/queue_now/all", "class=Report&back=delayed")
	present(t, ask.Body.String(), "Run 150 jobs now?", "the number")
	present(t, page.Body.String(), "Run all matching now", "a button")
	assert.Equal(t, "Moved 150 jobs to their queues.", s.says(s.submit(ask, url.Values{"typed": {"150"}})))
	assert.Len(t, s.list("resque:queue:reports"), 150)

	ask = s.post("/delayed/clear", fmt.Sprintf("at=%d", at))
	present(t, ask.Body.String(), "Cancel 1 job?", "of one second")
	assert.Equal(t, "Canceled 1 job. Undo", s.says(s.submit(ask, nil)))

	ask = s.post("/delayed/clear", "")
	present(t, ask.Body.String(), "These are all delayed jobs.", "no filter")
	a := s.submit(ask, url.Values{"typed": {"149"}})
	assert.Equal(t, "Canceled 149 jobs. Undo", s.says(a))
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:delayed_queue_schedule"))
	require.Equal(t, http.StatusSeeOther, s.undo(a).Code)
	assert.EqualValues(t, 149, s.do("ZCARD", "resque:delayed_queue_schedule"))
	present(t, s.get("/trash").Body.String(), "delayed jobs", "the first one that was canceled")
}

func TestSearchOfDelayedQueuedAndRunningJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 3})
	s.delay(soon(time.Hour), item("MailLater", `[1]`, "mail"), item("Report", `[]`, "reports"))
	s.jobs("mail", `{"class":"MailNow","args":[1]}`, `{"class":"Other","args":["e-mail"]}`, `{"class":"Other","args":[]}`)
	s.jobs("..", `{"class":"MailHidden","args":[]}`)
	s.worker("host:1:mail", ago(0), working("mail", "MailRunning", "[1]", time.Second))
	a := s.post("/delayed/search", "search=MAIL")
	require.Equal(t, http.StatusSeeOther, a.Code)
	assert.Equal(t, "../delayed/search?search=MAIL", a.Header().Get("Location"))
	page := text(t, s.get("/delayed/search?search=MAIL").Body.String())
	for _, job := range []string{"MailLater", "MailNow", "e-mail", "MailHidden", "MailRunning"} {
		assert.Contains(t, page, job)
	}
	assert.NotContains(t, page, "Report")
	told := s.post("/delayed/search", "search=MAIL", "Accept: application/json").told(t)
	assert.Len(t, told["Queued"], 3)
	present(t, s.get("/delayed/search").Body.String(), "Type a part of a class", "nothing to search for")
	present(t, s.get("/delayed/search?search=nobody").Body.String(), "No delayed job matches", "none")
	for range 5 {
		s.jobs("mail", `{"class":"MailNow","args":[1]}`)
	}
	present(t, s.get("/delayed/search?search=MAIL").Body.String(), "Not all waiting jobs were searched", "more than a page")
	reader := openOn(t, s.server, web.Config{ReadOnly: true})
	assert.Equal(t, http.StatusSeeOther, reader.post("/delayed/search", "search=x").Code, "it changes nothing")
}

// The tab exists if there are delayed jobs, and on the page itself.
func TestDelayedTabAndNotes(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	tab := `data-tab="delayed"`
	absent(t, s.get("/overview").Body.String(), tab, "no job is delayed")
	page := s.get("/delayed").Body.String()
	present(t, page, tab, "the page itself")
	present(t, page, "No delayed jobs.", "what it is for")
	present(t, page, "No scheduler is running", "and that nothing would move them")
	s.delay(soon(time.Hour), item("Mail", `[1]`, "mail"))
	web.Forget(s.dashboard)
	overview := s.get("/overview").Body.String()
	present(t, overview, tab, "delayed jobs exist")
	absent(t, overview, "although their time has come", "none is late")
	s.delay(soon(-10*time.Minute), item("Mail", `[2]`, "mail"))
	web.Forget(s.dashboard)
	present(t, s.get("/overview").Body.String(), "although their time has come", "a note")
	present(t, s.get("/delayed").Body.String(), "should have been moved 10 min ago", "how late")
	present(t, s.get("/delayed").Body.String(), "10 min late", "the job")
	s.do("SET", "resque:resque:resque_scheduler_master_lock", "localhost:4242")
	page = s.get("/delayed").Body.String()
	present(t, text(t, page), "Ruby's scheduler on localhost, process 4242", "the master")
	s.do("SET", "resque:resque:resque_scheduler_master_lock", "web-1.example.com~go:917:TOKEN")
	present(t, s.get("/delayed").Body.String(), "The Go scheduler on web-1.example.com", "the master")
}

// A key of another type, and times and jobs that other programs wrote, are shown.
func TestDamagedDelayedJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("ZADD", "resque:delayed_queue_schedule", 5, "no number")
	s.delay(999_999_999_999, item("Far", `[]`, "far"))
	s.delay(soon(time.Hour), "\xff\xfe", `{"class":"<script>alert(1)</script>","args":["<img onerror=x>"],"queue":"<b>"}`, `[]`, `{"class":"NoQueue","args":{"a":1}}`)
	page := s.get("/delayed")
	require.Equal(t, http.StatusOK, page.Code)
	for _, want := range []string{"999999999999", "Far", "NoQueue", "it names no queue", "cannot be read", "damaged"} {
		present(t, page.Body.String(), want, "%s", want)
	}
	absent(t, page.Body.String(), "<script>alert", "escaped")
	assert.Equal(t, http.StatusOK, s.get("/delayed.json").Code)
	assert.Equal(t, http.StatusOK, s.get("/delayed/999999999999").Code)
	s.do("ZADD", "resque:delayed_queue_schedule", 7, 7)
	s.do("SET", "resque:delayed:7", "text")
	page = s.get("/delayed")
	for _, want := range []string{"resque:delayed:7", "WRONGTYPE", "NoQueue"} {
		present(t, page.Body.String(), want, "one key does not hide the jobs of other seconds")
	}
	s.do("SET", "resque:delayed_queue_schedule", "text")
	web.Forget(s.dashboard)
	for _, path := range []string{"/delayed", "/delayed.json", "/delayed/5", "/overview"} {
		assert.Equal(t, http.StatusOK, s.get(path).Code, path)
	}
	present(t, s.get("/delayed").Body.String(), "WRONGTYPE", "why")
}
