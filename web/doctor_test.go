package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// codes returns the codes of the findings on the page.
func (s *site) codes() []string {
	s.t.Helper()
	report, _ := s.get("/doctor.json").told(s.t)["Report"].(map[string]any)
	codes := []string{}
	findings, _ := report["findings"].([]any)
	for _, f := range findings {
		codes = append(codes, f.(map[string]any)["code"].(string))
	}
	return codes
}

func TestDoctorShowsFindingsAndFixesThem(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`)
	page := s.get("/doctor").Body.String()
	present(t, page, "Delayed jobs that no scheduler would find", "title")
	present(t, page, "D04", "code")
	present(t, page, "problem", "count")
	present(t, page, "Fix what can be fixed", "button")
	present(t, s.get("/stats").Body.String(), `href="./doctor"`, "link")

	present(t, s.post("/doctor/fix", "").Body.String(), "D04 Delayed jobs", "question")
	forgets := openOn(t, s.server, web.Config{KeepRemoved: -1})
	present(t, forgets.post("/doctor/fix", "").Body.String(), "What it removes cannot be restored", "nothing is kept")
	require.Zero(t, s.do("EXISTS", "resque:delayed_queue_schedule"), "nothing is changed before the answer")
	fixed := s.post("/doctor/fix", "sure=1")
	assert.Equal(t, http.StatusSeeOther, fixed.Code, fixed.Body)
	assert.NotContains(t, s.codes(), "D04")
	again := s.post("/doctor/fix", "sure=1", "Accept: application/json").told(t)
	assert.EqualValues(t, 0, again["done"])
}

// A viewer sees the report and cannot fix.
func TestDoctorNeedsTheRightToFix(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.DenyFor(web.AllowEveryone(), web.RightBulk)})
	s.do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`)
	page := s.get("/doctor").Body.String()
	present(t, page, "D04", "code")
	absent(t, page, "doctor/fix", "button")
	assert.Equal(t, http.StatusForbidden, s.post("/doctor/fix", "sure=1").Code)
}

// Requests within some seconds, and each refresh of an open page, share a report.
func TestDoctorSharesAReport(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	web.KeepReports(s.dashboard, waitLong)
	first := s.codes()
	s.do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`)
	assert.Equal(t, first, s.codes())
	web.KeepReports(s.dashboard, 0)
	absent(t, s.get("/doctor", "X-Fragment: 1").Body.String(), "D04", "a refresh makes no checks")
	assert.Contains(t, s.codes(), "D04")
}

// A scrape has the figures of the last report and makes no checks.
func TestMetricsOfTheLastReport(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("RPUSH", "resque:delayed:4102444800", `{"class":"A","args":[],"queue":"q"}`)
	absent(t, s.get("/metrics").Body.String(), "resque_doctor", "there is no report")
	s.codes()
	metrics := s.get("/metrics").Body.String()
	present(t, metrics, `resque_doctor_findings{code="D04",severity="problem"} 1`, "metrics")
	present(t, metrics, "resque_doctor_age_seconds ", "metrics")
}

func TestRunMakesReports(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{DoctorEvery: time.Hour})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.dashboard.Run(ctx) }()
	require.Eventually(t, func() bool {
		return strings.Contains(s.get("/metrics").Body.String(), "resque_doctor_age_seconds")
	}, waitLong, tick)
	stop()
	require.NoError(t, <-ended)
}

// The names of locks have arguments, which the page does not show if they are hidden.
func TestDoctorHidesArguments(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SET", `resque:lock:Mailer-["secret"]`, 4102444800)
	for _, path := range []string{"/doctor", "/doctor.json"} {
		assert.Contains(t, s.get(path).Body.String(), "secret", path)
		for _, cfg := range []web.Config{{HideArgs: true}, {RedactKeys: []string{"password"}}} {
			hidden := openOn(t, s.server, cfg).get(path).Body.String()
			assert.Contains(t, hidden, "T03", path)
			assert.NotContains(t, hidden, "secret", path)
		}
	}
}
