package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/web"
)

// The job of a Go worker can be stopped, if the worker still performs it, and its progress
// is shown.
func TestStopThisJob(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	const id, other = "h~go:1:exports", "h:2:exports"
	const job = "0123456789abcdef0123456789abcdef"
	s.worker(id, ago(0), `{"queue":"exports","run_at":"2026-01-15T12:34:56.000000001Z","payload":{"class":"Export","args":["`+job+`",{"id":1}]}}`)
	s.worker(other, ago(0), working("exports", "Exporter", "[2]", time.Minute))
	s.do("SET", "resque:status:"+job, `{"status":"working","num":3,"total":4,"message":"row <3>"}`)
	for _, path := range []string{"/working", "/working/" + pathEscape(id)} {
		page := s.get(path).Body.String()
		present(t, page, `<progress max="100" value="75"`, "the bar on %s", path)
		present(t, page, "row &lt;3&gt;", "the message")
	}
	absent(t, s.get("/workers/"+other).Body.String(), "Stop this job", "a Ruby worker cannot be told")
	page := s.get("/working/" + pathEscape(id))
	present(t, page.Body.String(), "Stop this job", "a button")

	path := "/workers/" + pathEscape(id) + "/stop"
	assert.Equal(t, http.StatusBadRequest, s.post(path, "sure=1").Code, "which job?")
	assert.Equal(t, http.StatusConflict, s.post(path, "sure=1&run_at=earlier").Code)
	assert.Equal(t, http.StatusConflict, s.post("/workers/"+pathEscape(other)+"/stop", "sure=1&run_at=x").Code)
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:goresque:cancel"))
	ask := s.post(path, "run_at=2026-01-15T12%3A34%3A56.000000001Z")
	present(t, ask.Body.String(), "Stop the job of "+id, "the question")
	assert.EqualValues(t, 0, s.do("EXISTS", "resque:goresque:cancel"))
	assert.Equal(t, "Told "+id+" to stop its job.", s.says(s.submit(ask, nil)))
	assert.EqualValues(t, 1, s.do("HEXISTS", "resque:goresque:cancel", id))
}
