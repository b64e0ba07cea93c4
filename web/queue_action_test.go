package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// jobs adds jobs to a queue.
func (s *site) jobs(queue string, jobs ...string) {
	s.t.Helper()
	s.do("SADD", "resque:queues", queue)
	for _, job := range jobs {
		s.do("RPUSH", "resque:queue:"+queue, job)
	}
}

// jobIDs returns the ids of the jobs on a queue's page.
func (s *site) jobIDs(queue string) []string {
	s.t.Helper()
	var ids []string
	for _, input := range elements(parse(s.t, s.get("/queues/"+pathEscape(queue)).Body.String()), "input") {
		if attr(input, "name") == "ids" {
			ids = append(ids, attr(input, "value"))
		}
	}
	return ids
}

func (s *site) isQueue(name string) bool {
	s.t.Helper()
	return s.do("SISMEMBER", "resque:queues", name).(int64) == 1
}

var four = []string{`{"class":"A","args":[1]}`, `{"class":"B","args":[2]}`, `not JSON`, `{"class":"D","args":[4.0]}`} //nolint:gochecknoglobals // a table

func TestClearAndRemoveAQueue(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"exports", "a/b c"} {
		s := open(t, web.Config{})
		s.jobs(name, four...)
		path := "/queues/" + pathEscape(name)
		ask := s.post(path+"/clear", "")
		present(t, ask.Body.String(), "The 4 jobs in it are removed.", "it asks")
		assert.Len(t, s.list("resque:queue:"+name), 4)
		a := s.submit(ask, nil)
		assert.Equal(t, "Removed 4 jobs from queue "+name+". Undo", s.says(a))
		assert.Empty(t, s.list("resque:queue:"+name))
		assert.True(t, s.isQueue(name), "the queue stays in the list")
		s.jobs(name, `{"class":"New","args":[]}`)
		require.Equal(t, http.StatusSeeOther, s.undo(a).Code)
		assert.Equal(t, append(four[:4:4], `{"class":"New","args":[]}`), s.list("resque:queue:"+name), "in front, in order")

		a = s.submit(s.post(path+"/remove", ""), nil)
		assert.False(t, s.isQueue(name))
		assert.Empty(t, s.list("resque:queue:"+name))
		require.Equal(t, http.StatusSeeOther, s.undo(a).Code)
		assert.True(t, s.isQueue(name))
		assert.Len(t, s.list("resque:queue:"+name), 5)
	}
}

func TestWhatIsRemovedExpires(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{KeepRemoved: time.Minute})
	s.jobs("exports", four...)
	s.post("/queues/exports/clear", "sure=1")
	for key := range dump(t, s) {
		if strings.Contains(key, "goresque:trash:") {
			ttl := s.do("PTTL", key).(int64)
			assert.Positive(t, ttl, key)
			assert.LessOrEqual(t, ttl, time.Minute.Milliseconds(), key)
			return
		}
	}
	t.Error("removed jobs are not kept")
}

func TestRemoveJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.jobs("exports", four...)
	ids := s.jobIDs("exports")
	require.Len(t, ids, 4)
	a := s.post("/queues/exports/jobs/remove", "ids="+ids[2])
	assert.Equal(t, "Removed 1 job. Undo", s.says(a), "a damaged job")
	assert.Equal(t, []string{four[0], four[1], four[3]}, s.list("resque:queue:exports"))
	require.Equal(t, http.StatusSeeOther, s.undo(a).Code)
	assert.ElementsMatch(t, four, s.list("resque:queue:exports"))

	ids = s.jobIDs("exports")
	s.do("LPOP", "resque:queue:exports") // a worker takes the first one
	ask := s.post("/queues/exports/jobs/remove", "ids="+strings.Join(ids[:3], "&ids="))
	present(t, ask.Body.String(), "Remove 3 jobs?", "several")
	a = s.submit(ask, nil)
	assert.Equal(t, "Removed 2 jobs. 1 no longer existed. Undo", s.says(a))
	assert.Equal(t, []string{four[3]}, s.list("resque:queue:exports"), "the selected jobs, at their new positions")
	for _, form := range []string{"", "ids=x", "ids=-1-ab", "ids=1"} {
		a := s.post("/queues/exports/jobs/remove", form)
		require.Less(t, a.Code, 500, form)
		assert.Len(t, s.list("resque:queue:exports"), 1, form)
	}
}

func TestMoveJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.jobs("exports", four...)
	s.jobs("slow", `{"class":"S","args":[]}`)
	ids := s.jobIDs("exports")
	a := s.post("/queues/exports/jobs/move", "to=slow&ids="+ids[1]+"&ids="+ids[3])
	assert.Equal(t, "Moved 2 jobs.", s.says(a))
	assert.Equal(t, []string{four[0], four[2]}, s.list("resque:queue:exports"))
	assert.Equal(t, []string{`{"class":"S","args":[]}`, four[1], four[3]}, s.list("resque:queue:slow"))
	assert.Equal(t, http.StatusSeeOther, s.post("/queues/exports/jobs/move", "to=new&ids="+s.jobIDs("exports")[0]).Code)
	assert.True(t, s.isQueue("new"))
	for _, form := range []string{"to=", "to=exports&ids=" + ids[0], "ids=" + ids[0]} {
		assert.Equal(t, http.StatusBadRequest, s.post("/queues/exports/jobs/move", form).Code, form)
	}
}

func TestQueuePageFiltersAndPages(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 2})
	s.jobs("exports", four...)
	s.jobs("exports", activeJob(`[{"job_class":"Mail","job_id":"x","arguments":[7],"enqueued_at":"`+ago(90*time.Second)+`"}]`), `{"class":"E","args":[],"enqueued_at":1700000000.5}`)
	assert.Len(t, s.jobIDs("exports"), 2)
	for query, want := range map[string]string{"?start=2": "cannot be read", "?page=3": "Mail", "?q=4.0": "4.0", "?q=MAIL": "ActiveJob", "?page=99": "Mail"} {
		present(t, s.get("/queues/exports"+query).Body.String(), want, query)
	}
	present(t, s.get("/queues/exports?page=3").Body.String(), "1 min", "how long it waits")
	present(t, s.get("/queues/exports?q=nothing").Body.String(), "No job matches the filter", "none")
	absent(t, s.get("/queues/exports?q=mail").Body.String(), ">A<", "the others")
}

func TestPauses(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.jobs("exports", four...)
	assert.Equal(t, "Paused queue exports.", s.says(s.post("/queues/exports/pause", "")))
	assert.EqualValues(t, 1, s.do("EXISTS", "resque:pause:queue:exports"))
	present(t, s.get("/queues/exports").Body.String(), ">paused<", "the queue")
	assert.Equal(t, "Resumed queue exports.", s.says(s.post("/queues/exports/resume", "")))
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:pause:queue:exports"))
	ask := s.post("/workers/pause", "back=queues")
	present(t, ask.Body.String(), "Pause all workers?", "it asks")
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:pause-all-workers"))
	assert.Equal(t, "Paused all workers.", s.says(s.submit(ask, nil)))
	assert.Equal(t, []byte("true"), s.do("GET", "resque:pause-all-workers"), "as Ruby reads it")
	present(t, s.get("/overview").Body.String(), "All workers are paused", "a note")
	s.post("/workers/resume", "")
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:pause-all-workers"))
}

func TestLimitsOfQueuesAreShown(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.jobs("exports", four...)
	s.jobs("mail", four...)
	s.jobs("plain", four...)
	s.do("HSET", "resque:goresque:limits", "exports", `{"concurrency":2,"rate":100,"per":60000}`, "mail", `{"rate":5,"per":1000}`, "plain", "damaged")
	s.do("HSET", "resque:goresque:held:q:exports", "h~go:1-1:exports", "x", "h~go:1-2:exports", "y")
	page := s.get("/queues").Body.String()
	present(t, page, "2 of 2 running, 100 per minute", "the limit of a queue")
	present(t, page, "0 running, 5 per second", "a rate alone")
	present(t, s.get("/queues/exports").Body.String(), "2 of 2 running, 100 per minute", "on its own page")
	present(t, s.get("/queues.json").Body.String(), `"Rate": "100/min"`, "JSON")
	s.do("HSET", "resque:goresque:held:c:Exporter:7", "h~go:1-9:x", "gone")
	page = s.get("/limits").Body.String()
	present(t, page, "2 at once, 100 per minute", "a limit")
	present(t, page, "not applied", "damage")
	present(t, page, "Exporter:7", "a limit by key")
	present(t, page, "its job has ended", "a place without a record")
	s.do("DEL", "resque:goresque:limits")
	s.do("SET", "resque:goresque:limits", "x")
	assert.Equal(t, 200, s.get("/queues").Code)
	present(t, s.get("/limits").Body.String(), "WRONGTYPE", "damage")
}

func TestQueuesSortFilterAndTrend(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	names := func(query string) string {
		var names []string
		for _, q := range s.get("/queues"+query, "Accept: application/json").told(t)["Queues"].([]any) {
			names = append(names, q.(map[string]any)["Name"].(string))
		}
		return strings.Join(names, " ")
	}
	assert.Equal(t, "archive billing exports images low mailers reports search_index", names(""))
	assert.Equal(t, "search_index images exports mailers reports archive billing low", names("?sort=size"))
	assert.True(t, strings.HasPrefix(names("?sort=wait"), "mailers "))
	assert.True(t, strings.HasPrefix(names("?sort=workers"), "archive "))
	assert.Equal(t, "exports", names("?q=EXP"))
	assert.NotContains(t, names("?empty=hide"), "low")
}

func TestPrune(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	dead, alive, silent := "h:1:exports", "h:2:exports", "h:3:exports"
	s.worker(dead, ago(6*time.Minute), working("exports", "Exporter", "[1.0]", 7*time.Minute))
	s.worker(alive, ago(10*time.Second), working("exports", "Exporter", "[2]", time.Minute))
	s.worker(silent, "", working("exports", "Exporter", "[3]", time.Minute))
	for _, id := range []string{alive, silent, "h:9:nobody"} {
		a := s.post("/workers/"+pathEscape(id)+"/prune", "sure=1")
		assert.Equal(t, http.StatusConflict, a.Code, id)
	}
	assert.Empty(t, s.list("resque:failed"))
	absent(t, s.get("/workers/"+alive).Body.String(), "/prune", "no button for a live worker")
	page := s.get("/workers/" + dead)
	present(t, page.Body.String(), "/prune", "a button")

	ask := s.post("/workers/"+dead+"/prune", "")
	s.do("HSET", "resque:workers:heartbeat", dead, ago(0)) // a heartbeat arrives before the question is answered
	assert.Equal(t, http.StatusConflict, s.submit(ask, nil).Code)
	assert.EqualValues(t, 1, s.do("SISMEMBER", "resque:workers", dead))
	s.do("HSET", "resque:workers:heartbeat", dead, ago(6*time.Minute))
	assert.Equal(t, "Pruned "+dead+".", s.says(s.submit(ask, nil)))
	assert.EqualValues(t, 0, s.do("SISMEMBER", "resque:workers", dead))
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:worker:"+dead))
	failed := s.list("resque:failed")
	require.Len(t, failed, 1)
	assert.Contains(t, failed[0], `"payload":{"class":"Exporter","args":[1.0]}`)
	assert.Contains(t, failed[0], `"exception":"Resque::PruneDeadWorkerDirtyExit"`)
	assert.EqualValues(t, 1, s.do("SISMEMBER", "resque:workers", alive))
}

func TestPruneAllStale(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{StaleAfter: time.Minute})
	s.worker("h:1:x", ago(2*time.Minute), working("x", "A", "[]", 0))
	s.worker("h:2:x", ago(90*time.Second), "")
	s.worker("h:3:x", ago(time.Second), "")
	s.do("HSET", "resque:workers:heartbeat", "h:4:x", ago(time.Hour)) // a heartbeat without a worker
	ask := s.post("/workers/prune", "back=workers")
	present(t, ask.Body.String(), "Prune 3 stale workers?", "the question has the number")
	assert.Equal(t, "Pruned 3 workers.", s.says(s.submit(ask, nil)))
	assert.EqualValues(t, 1, s.do("SCARD", "resque:workers"))
	assert.EqualValues(t, 1, s.do("HLEN", "resque:workers:heartbeat"))
	assert.Len(t, s.list("resque:failed"), 1)
	assert.Equal(t, "Pruned 0 workers.", s.says(s.submit(ask, nil)))
}

func TestStates(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	states := map[string]float64{}
	for _, host := range s.get("/workers", "Accept: application/json").told(t)["Hosts"].([]any) {
		for _, w := range host.(map[string]any)["Workers"].([]any) {
			states[w.(map[string]any)["State"].(string)]++
		}
	}
	assert.Equal(t, map[string]float64{"working": 8, "idle": 6, "stale": 2, "silent": 1}, states)
	page := text(t, s.get("/overview").Body.String())
	assert.Contains(t, page, "2 workers are stale")
	assert.Contains(t, page, "No worker takes jobs from archive")
	assert.Contains(t, page, "worker probably dead")
	s.worker("all.example.com~go:1:*,!archive", ago(0), "")
	web.Forget(s.dashboard)
	assert.Contains(t, text(t, s.get("/overview").Body.String()), "No worker takes jobs from archive", "the worker excludes the queue")
	s.worker("all.example.com~go:2:arc*", ago(0), "")
	web.Forget(s.dashboard)
	assert.NotContains(t, text(t, s.get("/overview").Body.String()), "No worker takes jobs from")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Refresh: 10 * time.Second})
	present(t, s.get("/").Body.String(), `data-refresh="10"`, "the default")
	a := s.post("/settings", url.Values{"theme": {"dark"}, "refresh": {"0"}, "back": {"failed?page=2"}}.Encode())
	assert.Equal(t, "./failed?page=2", a.Header().Get("Location"))
	var cookies []string
	for _, c := range a.Result().Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	page := s.get("/", "Cookie: "+strings.Join(cookies, "; ")).Body.String()
	present(t, page, `data-theme="dark"`, "the user's choice")
	present(t, page, `data-refresh="0"`, "the user's choice")
	assert.Contains(t, openOn(t, s.server, web.Config{Refresh: -1}).get("/").Body.String(), `data-refresh="0"`)
}

// No path can have these names, so the forms of their pages send them as a field.
func TestQueuesWhoseNameNoPathCanHave(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	for _, name := range []string{"", ".", ".."} {
		s.do("SADD", "resque:queues", name)
		s.do("RPUSH", "resque:queue:"+name, `{"class":"Odd","args":[]}`)
		page := s.get("/queues?name=" + escape(name))
		require.Equal(t, http.StatusOK, page.Code)
		present(t, page.Body.String(), "Odd", "queue %q", name)
		present(t, page.Body.String(), `queues/remove"><input type="hidden" name="name"`, "queue %q", name)
		ask := s.post("/queues/remove", "name="+escape(name))
		require.Equal(t, http.StatusSeeOther, s.submit(ask, nil).Code, "queue %q", name)
		assert.EqualValues(t, 0, s.do("EXISTS", "resque:queue:"+name))
		assert.EqualValues(t, 0, s.do("SISMEMBER", "resque:queues", name))
	}
	s.do("SADD", "resque:queues", "exports")
	for _, form := range []string{"sure=1", "sure=1&name=exports", "sure=1&name=&name=."} {
		assert.Equal(t, http.StatusBadRequest, s.post("/queues/remove", form).Code, form)
	}
	assert.EqualValues(t, 1, s.do("SISMEMBER", "resque:queues", "exports"))
}
