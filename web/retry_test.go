package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/web"
)

// openRetries has three jobs that wait for another attempt at one second, the first with
// its last error, and a job that has not failed.
func openRetries(t *testing.T, cfg web.Config) (s *site, at int64) {
	t.Helper()
	mux := resque.NewMux()
	mux.HandleFunc("Mail", func(context.Context, *resque.Payload) error { return nil }, retry.Policy{Limit: 5})
	cfg.Prune.Handler = mux
	s, at = open(t, cfg), soon(time.Hour)
	for i := range 4 {
		s.delay(at, item("Mail", fmt.Sprintf("[%d]", i), "mail"))
	}
	s.retried("Mail", "0", 1, "disk full")
	s.retried("Mail", "1", 0, "")
	s.retried("Mail", "2", 0, "")
	return s, at
}

func (s *site) waiting(at int64) string {
	s.t.Helper()
	return fmt.Sprint(s.do("LLEN", fmt.Sprintf("resque:delayed:%d", at)))
}

func TestRetryPageShowsAttempts(t *testing.T) {
	t.Parallel()
	s, at := openRetries(t, web.Config{PerPage: 2})
	page := s.get("/retry")
	require.Equal(t, http.StatusOK, page.Code)
	for _, want := range []string{"2 of 6", "1 of 6", "disk full", "Net::ReadTimeout", "Failures of this class", "Later jobs"} {
		present(t, page.Body.String(), want, "%s", want)
	}
	told := s.get("/retry", "Accept: application/json").told(t)
	jobs, ok := told["Jobs"].([]any)
	require.True(t, ok)
	require.Len(t, jobs, 2)
	first, ok := jobs[0].(map[string]any)
	require.True(t, ok)
	assert.EqualValues(t, 2, first["Attempt"])
	assert.EqualValues(t, 6, first["Limit"])
	assert.Equal(t, "disk full", first["Error"])
	told = s.get("/retry"+told["Next"].(string), "Accept: application/json").told(t)
	assert.Len(t, told["Jobs"], 1)
	assert.EqualValues(t, 3, told["Matching"])
	for _, path := range []string{fmt.Sprintf("/retry/%d.json", at), "/retry.json?class=Mail&args=" + url.QueryEscape("[1]")} {
		assert.Equal(t, http.StatusOK, s.get(path).Code, path)
	}
	present(t, s.get("/retry?class=Nobody").Body.String(), "No job that waits for another attempt matches the filter", "none")
	assert.Contains(t, s.get("/retry.poll").Body.String(), `data-live="main"`)
	present(t, s.get("/overview").Body.String(), `data-tab="retry"`, "the tab")
	for path, status := range map[string]int{"/retry/x": 404, "/retry?from=x": 400, "/retry?args=1": 400, "/retry/5": 200} {
		assert.Equal(t, status, s.get(path).Code, path)
	}
	s.do("SET", "resque:delayed:7", "text")
	s.do("ZADD", "resque:delayed_queue_schedule", 7, 7)
	present(t, s.get("/retry?class=Mail&args=[2]").Body.String(), "WRONGTYPE", "what cannot be read")
}

func TestRetryNowCancelAndGiveUp(t *testing.T) {
	t.Parallel()
	s, at := openRetries(t, web.Config{})
	ids := s.delayedIDs("/retry")
	require.Len(t, ids, 3)
	a := s.post("/retry/give_up/"+ids[0], "back=retry")
	assert.Equal(t, http.StatusSeeOther, a.Code)
	assert.Equal(t, "Recorded 1 job as failed.", s.says(a))
	assert.Contains(t, fmt.Sprintf("%s", s.do("LINDEX", "resque:failed", 0)), `"exception":"Net::ReadTimeout","error":"disk full"`)
	assert.Equal(t, http.StatusConflict, s.post("/retry/give_up/"+ids[0], "").Code)

	a = s.post("/retry/queue_now/"+ids[1], "")
	assert.Equal(t, "Moved 1 job to its queue.", s.says(a))
	assert.EqualValues(t, 1, s.do("LLEN", "resque:queue:mail"))

	a = s.post("/retry/cancel_now/"+ids[2], "", "Accept: application/json")
	assert.EqualValues(t, 1, a.told(t)["done"])
	other := s.delayedIDs("/delayed")
	require.Len(t, other, 1)
	assert.Equal(t, http.StatusConflict, s.post("/retry/queue_now/"+other[0], "").Code, "it has not failed")
	assert.Equal(t, "1", s.waiting(at))
	assert.Equal(t, http.StatusBadRequest, s.post("/retry/queue_now/x", "").Code)
	assert.Equal(t, http.StatusBadRequest, s.post("/retry/give_up", "").Code)
}

func TestRetryActsOnMany(t *testing.T) {
	t.Parallel()
	s, at := openRetries(t, web.Config{})
	ids := s.delayedIDs("/retry")
	ask := s.post("/retry/give_up", "ids="+strings.Join(ids[:2], "&ids="))
	present(t, ask.Body.String(), "Give up 2 jobs?", "a question")
	assert.Equal(t, "4", s.waiting(at))
	assert.Equal(t, "Recorded 2 jobs as failed.", s.says(s.submit(ask, nil)))
	assert.Equal(t, "2", s.waiting(at))
	for _, c := range []struct{ path, form, asks, says string }{
		{"/retry/queue_now/all", "class=Mail", "match the filter", "Moved 1 job to its queue."},
		{"/retry/give_up/all", "", "These are all jobs that wait for another attempt.", "Recorded 0 jobs as failed."},
		{"/retry/clear", "", "These are all jobs that wait for another attempt.", "Canceled 0 jobs."},
	} {
		ask := s.post(c.path, c.form)
		present(t, ask.Body.String(), c.asks, "%s", c.path)
		assert.Equal(t, c.says, s.says(s.submit(ask, nil)), c.path)
	}
	assert.Equal(t, "1", s.waiting(at), "the job that has not failed")
}

// The forms of resque-retry's pages work, and cancel only jobs that wait for another
// attempt.
func TestRubysRetryForms(t *testing.T) {
	t.Parallel()
	s, at := openRetries(t, web.Config{})
	a := s.post(fmt.Sprintf("/retry/%d/jobs/%s/remove", at, url.PathEscape(`{"class":"Mail","args":[1],"queue":"mail"}`)), fmt.Sprintf("timestamp=%d", at))
	assert.Equal(t, "Canceled 1 job. Undo", s.says(a))
	for id, status := range map[string]int{`{"class":"Mail","args":[3]}`: 303, `{"args":[1]}`: 400, `{"class":"Mail"}`: 400, "x": 400} {
		assert.Equal(t, status, s.post(fmt.Sprintf("/retry/%d/jobs/%s/remove", at, url.PathEscape(id)), "").Code, id)
	}
	assert.Equal(t, "3", s.waiting(at))
	ask := s.post(fmt.Sprintf("/retry/%d/remove", at), "")
	present(t, ask.Body.String(), "Cancel 2 jobs?", "a question")
	assert.Equal(t, "Canceled 2 jobs. Undo", s.says(s.submit(ask, nil)))
	assert.Equal(t, "1", s.waiting(at))
	assert.Equal(t, http.StatusNotFound, s.post("/retry/x/remove", "").Code)
}
