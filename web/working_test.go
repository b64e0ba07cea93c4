package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// A job that runs for long is marked, and the page of a running job shows the last
// failures of its class.
func TestLongJobsAndFailuresOfTheirClass(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{
		LongAfter: 30 * time.Minute,
		JobLinks: func(job web.Job) []web.Link {
			return []web.Link{{Text: "open " + job.Class, URL: "https://shop.example.com"}}
		},
	})
	s.failures(30)
	s.worker("web-1:1:a", ago(0), working("a", "Exporter", "[1]", time.Hour))
	s.worker("web-1:2:a", ago(0), working("a", "Fine", "[2]", time.Minute))
	for path, want := range map[string]int{"/working": 1, "/overview": 1, "/working/web-1:1:a": 1, "/working/web-1:2:a": 0} {
		assert.Equal(t, want, strings.Count(s.get(path).Body.String(), "runs for long"), path)
	}
	present(t, s.get("/working").Body.String(), "open Exporter", "the application's links")
	page := s.get("/working/web-1:1:a").Body.String()
	assert.Equal(t, 5, strings.Count(page, "no room left on the disk"))
	present(t, page, `href="../failed?class=Exporter"`, "a link to all of them")
	present(t, page, `<span class="args">28</span>`, "the newest one")
	absent(t, page, "mailbox busy", "another class")
	absent(t, s.get("/working/web-1:2:a").Body.String(), "The last failures", "a class without failures")
}

// The pages of a key and of a queue say how much memory they use, if Redis tells.
func TestMemoryOfKeys(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", "resque:queues", "a")
	s.do("RPUSH", "resque:queue:a", `{"class":"A","args":[1]}`)
	_, err := s.conn.Do("MEMORY", "USAGE", "resque:queue:a")
	known := err == nil // the embedded server does not tell
	for _, path := range []string{"/stats/keys/queue:a", "/queues/a"} {
		assert.Equal(t, known, strings.Count(s.get(path).Body.String(), "of memory") == 1, path)
	}
	assert.Equal(t, known, s.get("/queues/a", "Accept: application/json").told(t)["Memory"].(float64) > 0)
	assert.Equal(t, http.StatusOK, s.get("/queues/unknown").Code)
}

// A key of another type is named, also by actions.
func TestSchedulesWithKeysOfAnotherType(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"goresque:schedule", "goresque:schedule:slots", "goresque:schedule:off", "goresque:scheduler", "delayed:last_enqueued_at", "persistent_schedules",
	} {
		s := open(t, web.Config{})
		s.fillSchedules()
		s.do("DEL", "resque:"+key)
		s.do("RPUSH", "resque:"+key, "text")
		before := dump(t, s)
		page := s.get("/schedule")
		assert.Equal(t, http.StatusOK, page.Code, key)
		present(t, page.Body.String(), "resque:"+key, "%s is named", key)
		for _, path := range []string{"/schedule/disable", "/schedule/enable", "/schedule/requeue"} {
			if key == "goresque:scheduler" {
				break // the actions do not read it
			}
			a := s.post(path, "job_name=reindex", "Accept: application/json")
			assert.Equal(t, http.StatusConflict, a.Code, "%s with %s", path, key)
			assert.Equal(t, "wrong-type", a.told(t)["code"])
			assert.Contains(t, a.told(t)["detail"], "resque:"+key)
		}
		if key != "goresque:scheduler" {
			assert.Equal(t, before, dump(t, s), key)
		}
	}
}

// Go workers that take orders can be paused, resumed and stopped. Others have no buttons, and
// are not told.
func TestWorkersAreTold(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	const id, ruby = "web-1~go:1:a", "web-1:2:a"
	s.worker(id, ago(0), "")
	s.worker(ruby, ago(0), "")
	s.worker("web-1~go:3:a", ago(0), "")
	s.do("HSET", "resque:goresque:orders", id, "work", ruby, "work")
	order := func() string {
		text, err := redis.String(s.do("HGET", "resque:goresque:orders", id), nil)
		require.NoError(t, err)
		return text
	}
	page := s.get("/workers").Body.String()
	assert.Equal(t, 1, strings.Count(page, "/quiet"), "a button for one")
	present(t, s.post("/workers/"+id+"/quiet", "").Body.String(), "finish their running jobs", "asks first")
	assert.Equal(t, "work", order())
	assert.Equal(t, http.StatusSeeOther, s.post("/workers/"+id+"/quiet", "sure=1").Code)
	assert.Equal(t, "quiet", order())
	page = s.get("/workers").Body.String()
	present(t, page, "takes no jobs", "its state")
	present(t, page, pathEscape(id)+"/resume", "the button")
	assert.Equal(t, http.StatusSeeOther, s.post("/workers/"+id+"/resume", "sure=1").Code)
	assert.Equal(t, "work", order())
	assert.Equal(t, http.StatusSeeOther, s.post("/workers/"+id+"/shutdown", "sure=1").Code)
	assert.Equal(t, "stop", order())
	present(t, s.get("/workers/"+id).Body.String(), "is stopping", "its page")
	for _, other := range []string{ruby, "web-1~go:3:a", "unknown~go:1:a"} {
		for _, act := range []string{"quiet", "resume", "shutdown"} {
			a := s.post("/workers/"+other+"/"+act, "sure=1", "Accept: application/json")
			assert.Equal(t, http.StatusConflict, a.Code, "%s %s", act, other)
			assert.Equal(t, "takes-no-orders", a.told(t)["code"])
		}
	}
	assert.EqualValues(t, 2, s.do("HLEN", "resque:goresque:orders"))
}
