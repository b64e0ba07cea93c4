package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// positions returns the positions of the jobs on a queue's page, and the address of
// the next page.
func (s *site) positions(path string) (positions []int, next string) {
	s.t.Helper()
	told := s.get(path, "Accept: application/json").told(s.t)
	jobs, _ := told["Jobs"].([]any)
	for _, job := range jobs {
		positions = append(positions, int(job.(map[string]any)["Position"].(float64)))
	}
	return positions, told["Next"].(string)
}

// mixed adds jobs of two classes to a queue. Every third job has the second class.
func (s *site) mixed(queue string, n int) []string {
	s.t.Helper()
	jobs := make([]string, n)
	for i := range jobs {
		jobs[i] = fmt.Sprintf(`{"class":"A","args":[%d]}`, i)
		if i%3 == 2 {
			jobs[i] = activeJob(fmt.Sprintf(`[{"job_class":"Mail","job_id":"j","arguments":[%d]}]`, i))
		}
	}
	s.jobs(queue, jobs...)
	return jobs
}

func TestQueueOrdersAndSizes(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 4})
	s.mixed("exports", 10)
	for query, want := range map[string][]int{
		"": {0, 1, 2, 3}, "?dir=desc": {9, 8, 7, 6}, "?dir=desc&page=3": {1, 0}, "?size=25": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, "?size=0": {0}, "?size=3&page=2": {3, 4, 5},
	} {
		got, _ := s.positions("/queues/exports" + query)
		assert.Equal(t, want, got, query)
	}
}

// A filter fills one page after the other, in either order, and shows each job once.
func TestQueueFilterGoesOn(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 4})
	s.mixed("exports", 30)
	for query, want := range map[string][]int{
		"?class=Mail":          {2, 5, 8, 11, 14, 17, 20, 23, 26, 29},
		"?class=Mail&dir=desc": {29, 26, 23, 20, 17, 14, 11, 8, 5, 2},
		"?q=JOB_CLASS&size=7":  {2, 5, 8, 11, 14, 17, 20, 23, 26, 29},
		"?class=Mail&q=[2]":    {2},
		"?class=Mai":           nil,
		"?class=A&q=[12]":      {12},
	} {
		var all []int
		for next := query; next != ""; {
			var some []int
			some, next = s.positions("/queues/exports" + next)
			all = append(all, some...)
		}
		assert.Equal(t, want, all, query)
	}
	present(t, text(t, s.get("/queues/exports?class=Mail").Body.String()), "4 matches among the first 12 jobs.", "the jobs checked so far")
	present(t, text(t, s.get("/queues/exports?class=Mail&size=100").Body.String()), "10 matches in the whole queue.", "to the end")
}

func TestRemoveMatchingJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	jobs := s.mixed("exports", 1700)
	isMail := func(job string) bool { return strings.Contains(job, "Mail") }
	ask := s.post("/queues/exports/jobs/matching", "class=Mail")
	present(t, ask.Body.String(), "Remove 566 jobs?", "the question has the number")
	assert.Len(t, s.list("resque:queue:exports"), 1700)
	told := s.post("/queues/exports/jobs/matching", "class=Mail&sure=1&count=1000&typed=1000", "Accept: application/json").told(t)
	if op, running := told["operation"]; running {
		require.Eventually(t, func() bool { return s.get("/" + op.(string) + ".json").told(t)["Over"] == true }, waitLong, tick)
	}
	assert.Equal(t, slices.DeleteFunc(slices.Clone(jobs), isMail), s.list("resque:queue:exports"))
	require.Equal(t, http.StatusSeeOther, s.post("/trash/"+pathEscape(s.trash()[0]["Token"].(string))+"/restore", "").Code)
	kept := s.list("resque:queue:exports")
	require.Len(t, kept, 1700)
	assert.Equal(t, slices.DeleteFunc(slices.Clone(jobs), func(job string) bool { return !isMail(job) }), kept[:566], "in front, in order")

	for _, form := range []string{"", "class=", "q=&class=Mail", "sure=1"} {
		assert.Equal(t, http.StatusBadRequest, s.post("/queues/exports/jobs/matching", form).Code, "an empty filter does not mean all: %s", form)
	}
}

// Workers take jobs from the front while jobs are removed. Only matching jobs are
// removed.
func TestRemoveMatchingWhileWorkersTake(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{KeepRemoved: -1})
	s.mixed("exports", 3000)
	taken := make(chan int)
	go func() {
		c, n := s.server.Conn(t), 0
		for range 400 {
			if raw, err := c.Do("LPOP", "resque:queue:exports"); err == nil && raw != nil && !strings.Contains(string(raw.([]byte)), "Mail") {
				n++
			}
		}
		taken <- n
	}()
	told := s.post("/queues/exports/jobs/matching", "class=Mail&sure=1&count=1000&typed=1000", "Accept: application/json").told(t)
	if op, running := told["operation"]; running {
		require.Eventually(t, func() bool { return s.get("/" + op.(string) + ".json").told(t)["Over"] == true }, waitLong, tick)
	}
	others := <-taken
	s.post("/queues/exports/jobs/matching", "class=Mail&sure=1&count=1000&typed=1000") // the jobs that moved during the first pass
	left := s.list("resque:queue:exports")
	assert.Len(t, slices.DeleteFunc(slices.Clone(left), func(job string) bool { return strings.Contains(job, "Mail") }), 2000-others, "no other job was removed")
	assert.Len(t, left, 2000-others, "all matching jobs are removed")
}

// The application formats arguments and adds links and tabs.
func TestExtensions(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{
		RedactKeys: []string{"password"},
		FormatArgs: func(j web.Job) string {
			if j.Class != "Exporter" {
				return ""
			}
			b, _ := json.Marshal(j.Args)
			return "export <b>" + string(b)
		},
		JobLinks: func(j web.Job) []web.Link {
			return []web.Link{{Text: "user <42>", URL: "/users/42?class=" + j.Class}, {Text: "bad", URL: "javascript:alert(1)"}}
		},
		ExtraTabs: []web.Tab{{Title: "Grafana", URL: "https://grafana.example.com/"}, {Title: "Root", URL: "/admin"}, {Title: "Below", URL: "stats/redis"}},
	})
	s.jobs("exports", `{"class":"Exporter","args":[{"password":"geheim"}]}`, `{"class":"Other","args":[1.0]}`)
	s.fail(record("Exporter", `[{"password":"geheim"}]`, "E", "no", "exports", time.Now(), ""))
	for _, path := range []string{"/queues/exports", "/failed", s.href("/failed", "failures/")} {
		a := s.get(path)
		noCode(t, a)
		page := a.Body.String()
		present(t, page, "export &lt;b&gt;", "%s", path)
		absent(t, page, "geheim", "%s", path)
		absent(t, page, "javascript:", "%s", path)
		assert.Contains(t, links(t, page), "/users/42?class=Exporter", path)
		assert.Contains(t, links(t, page), "https://grafana.example.com/", path)
		assert.Contains(t, links(t, page), "/admin", path)
	}
	present(t, s.get("/queues/exports").Body.String(), "1.0", "an empty text leaves the arguments as they are")
	assert.Contains(t, links(t, s.get("/queues/exports").Body.String()), "../stats/redis")

	hidden := openOn(t, s.server, web.Config{HideArgs: true, FormatArgs: func(web.Job) string { return "seen" }})
	absent(t, hidden.get("/queues/exports").Body.String(), "seen", "HideArgs hides")
}

func TestPagesDoNotShowEncryptedArguments(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	const payload = `{"class":"Mailer","args":[{"_encrypted":"v1","key":"k","data":"AAAA"}]}`
	s.do("SADD", "resque:queues", "mail")
	s.do("RPUSH", "resque:queue:mail", payload)
	s.fail(`{"failed_at":"2026/01/01 00:00:00 UTC","payload":` + payload + `,"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"mail"}`)
	for _, path := range []string{"/queues/mail", "/failed", s.href("/failed", "failures/")} {
		present(t, s.get(path).Body.String(), "&lt;encrypted&gt;", "%s", path)
	}
}
