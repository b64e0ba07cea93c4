package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// Every page has a bounded size, however large jobs, failures and names of keys are, and
// shows the beginning of what is too large.
func TestPagesOfLargeJobsAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 30})
	const mb = 1 << 20
	payload := func(i int, size int) string {
		return fmt.Sprintf(`{"class":"Large%d","args":["%s"]}`, i, strings.Repeat("x", size))
	}
	for i := range 12 {
		s.do("RPUSH", "resque:failed", fmt.Sprintf(
			`{"failed_at":"2026/01/15 12:00:00 UTC","payload":%s,"exception":"TooLarge","error":"no. %d","backtrace":[],"worker":"w","queue":"q"}`, payload(i, mb), i))
		s.do("RPUSH", "resque:queue:q", payload(i, mb))
		id := fmt.Sprintf("host:%d:q", i)
		s.do("SADD", "resque:workers", id)
		s.do("SET", "resque:worker:"+id, `{"queue":"q","run_at":"2026-01-15T12:00:00Z","payload":`+payload(i, mb)+`}`)
		s.do("SET", fmt.Sprintf("resque:%s%d", strings.Repeat("name", mb/4), i), 1)
	}
	s.do("SADD", "resque:queues", "q")
	for path, shown := range map[string]string{
		"/failed":                     "Large5",
		"/failed.json":                "Large5",
		"/failed?order=asc":           "Large0",
		"/failed?exception=TooLarge":  "no. 11",
		"/failed.json?class=Large7":   "no. 7",
		"/queues/q":                   "Large5",
		"json /queues/q":              "Large5",
		"/queues/q?dir=desc&class=x":  "",
		"/queues/q?class=Large7":      "Large7",
		"json /queues/q?q=xxxx":       "Large0",
		"/working":                    "Large5",
		"/working.json":               "Large5",
		"/workers/host:5:q":           "Large5",
		"/overview":                   "Large0",
		"/stats/keys":                 "a name of",
		"json /stats/keys":            "namename",
		"/stats/keys/queue:q":         "1.0 MB",
		"json /stats/keys/failed":     "Large2",
		"/stats/keys/worker:host:1:q": "Large1",
	} {
		plain, isJSON := strings.CutPrefix(path, "json ")
		var headers []string
		if isJSON {
			headers = []string{"Accept: application/json"}
		}
		a := s.get(plain, headers...)
		require.Equal(t, 200, a.Code, path)
		assert.Less(t, a.Body.Len(), 8*mb, path)
		assert.Contains(t, a.Body.String(), shown, path)
	}
	page := s.get("/failed").Body.String()
	present(t, page, "Too large to show: 1.0 MB", "the list")
	link := s.href("/failed?order=asc", "failures/")
	present(t, s.get(link).Body.String(), "TooLarge", "its own page shows it whole")
}

// A failure that is too large to be shown whole can still be retried and removed.
func TestLargeFailuresCanBeRetried(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	payload := `{"class":"Large","args":["` + strings.Repeat("x", 5<<20) + `"]}`
	for range 2 {
		s.do("RPUSH", "resque:failed", `{"failed_at":"2026/01/15 12:00:00 UTC","payload":`+payload+`,"exception":"E","error":"m","backtrace":[],"worker":"w","queue":"q"}`)
	}
	link := s.href("/failed", "failures/")
	a := s.get(link)
	require.Equal(t, 200, a.Code)
	present(t, a.Body.String(), "Too large to show: 5.0 MB", "the page of the failure")
	id := strings.TrimPrefix(link[strings.Index(link, "failures/"):], "failures/")
	require.Equal(t, 303, s.post("/failed/requeue/"+id, "").Code)
	assert.EqualValues(t, 1, s.do("LLEN", "resque:queue:q"))
}
