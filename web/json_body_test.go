package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// send sends a body of JSON.
func (s *site) send(method, path, body string, headers ...string) answer {
	s.t.Helper()
	return s.ask(method, path, body, append([]string{"Sec-Fetch-Site: same-origin", "Content-Type: application/json; charset=utf-8"}, headers...)...)
}

// Actions take their fields in a form or in JSON, and answer the same.
func TestActionsTakeJSON(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(6)
	ids := s.ids()
	a := s.send(http.MethodPost, "/failed/requeue", `{"ids": ["`+ids[0]+`", "`+ids[1]+`"], "remove": true}`)
	assert.Equal(t, http.StatusOK, a.Code, a.Body)
	assert.Equal(t, "application/json", a.Header().Get("Content-Type"), "without an Accept header")
	assert.EqualValues(t, 2, a.told(t)["done"])
	assert.Len(t, s.list("resque:failed"), 4)

	a = s.send(http.MethodPost, "/failed/requeue/"+s.ids()[0], `{"queue": "other", "args": [12345678901234567890, {"b": 1, "a": 2}]}`)
	assert.EqualValues(t, 1, a.told(t)["done"], a.Body)
	assert.Equal(t, []string{`{"class":"Exporter","args":[12345678901234567890,{"b":1,"a":2}]}`}, s.list("resque:queue:other"))

	a = s.send(http.MethodPost, "/failed/clear", `{"class": "Mailer", "sure": false}`)
	assert.Equal(t, http.StatusBadRequest, a.Code)
	assert.Equal(t, "confirmation-needed", a.told(t)["code"])
	a = s.send(http.MethodPost, "/failed/clear", `{"class": "Mailer", "queue": null, "sure": true, "count": 1, "typed": 1}`)
	assert.EqualValues(t, http.StatusOK, a.Code, a.Body)
	absent(t, strings.Join(s.list("resque:failed"), ""), "Mailer", "removed")

	page := s.send(http.MethodPost, "/queues/other/pause", `{}`, "Accept: text/html")
	assert.Equal(t, http.StatusSeeOther, page.Code, "as the request asks")
	s.do("HSET", "resque:persistent_schedules", "nightly", `{"class":"A","cron":"0 3 * * *","queue":"q"}`)
	assert.EqualValues(t, 1, s.send(http.MethodDelete, "/schedule", `{"job_name": "nightly"}`).told(t)["done"])
}

func TestBadJSONChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(3)
	before := dump(t, s)
	for body, want := range map[string]string{
		`{"ids": "1"`:                        "not a JSON object",
		`[]`:                                 "not a JSON object",
		`{"ids": "1-2fd4e1c67a2d28fc"}`:      "ids is not an array",
		`{"ids": [1]}`:                       "ids is not an array",
		`{}`:                                 "",
		`{"ids": []} {"ids": []}`:            "not a JSON object",
		`{"ids": ["` + s.ids()[0] + `", 5]}`: "ids is not an array",
	} {
		a := s.send(http.MethodPost, "/failed/remove", body)
		assert.Equal(t, http.StatusBadRequest, a.Code, body)
		assert.Equal(t, "invalid-form", a.told(t)["code"], body)
		assert.Contains(t, a.told(t)["detail"], want, body)
	}
	assert.Equal(t, http.StatusRequestEntityTooLarge, s.send(http.MethodPost, "/failed/remove", `{"ids": ["`+strings.Repeat("x", 2<<20)+`"]}`).Code)
	assert.Equal(t, http.StatusForbidden, s.ask(http.MethodPost, "/failed/clear", `{"sure": true}`, "Content-Type: application/json", "Origin: https://evil.example.com", "Sec-Fetch-Site: cross-site").Code)
	assert.Equal(t, before, dump(t, s))
}

// The form of failures has a first and a last time.
func TestFailuresBetweenTwoTimes(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	at := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	for i := range 5 {
		s.fail(record("Day"+string(rune('0'+i)), "[]", "E", "m", "q", at.AddDate(0, 0, i), ""))
	}
	classes := func(query string) string {
		var found []string
		for _, a := range elements(parse(t, s.get("/failed?"+query).Body.String()), "a") {
			if attr(a, "class") == "class" {
				found = append(found, a.words())
			}
		}
		return strings.Join(found, " ")
	}
	assert.Equal(t, "Day2 Day1", classes("after=2026-01-11T00:00:00&until=2026-01-13T00:00:00"))
	assert.Equal(t, "Day2 Day1", classes("after=2026-01-11T00:00&until=2026-01-13"))
	assert.Equal(t, "Day4", classes("after=2026-01-13T12:00&until="))
	assert.Equal(t, "Day1 Day0", classes("until="+escape("2026-01-12T01:00:00+02:00")))
	assert.Empty(t, classes("since=1h&after=2026-01-11"), "both apply")
	page := s.get("/failed?until=" + escape("2026-01-12T01:00:00+02:00")).Body.String()
	present(t, page, `name="until" value="2026-01-11T23:00:00"`, "the form has it in UTC")
	present(t, page, `<input type="hidden" name="until" value="2026-01-12T01:00:00&#43;02:00">`, "the actions have it as it was given")
	for query, want := range map[string]string{
		"after=yesterday":                   "not a time",
		"until=2026-13-01":                  "not a time",
		"after=2026-01-13&until=2026-01-12": "not before",
	} {
		a := s.get("/failed?" + query)
		assert.Equal(t, http.StatusBadRequest, a.Code, query)
		present(t, a.Body.String(), want, "%s", query)
		assert.Equal(t, http.StatusBadRequest, s.post("/failed/clear", query+"&sure=1").Code, query)
	}
	require.Equal(t, http.StatusSeeOther, s.post("/failed/clear", "after=2026-01-11&until=2026-01-13&sure=1").Code)
	s.holds("resque:failed", 3)
	assert.Equal(t, "Day4 Day3 Day0", classes(""))
	assert.Equal(t, http.StatusBadRequest, s.post("/failed/clear", "until=&sure=1").Code, "an empty field is a mistake of a script")
}

// All jobs that match a filter are moved to another queue, after a question.
func TestMoveAllMatchingJobs(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	for i := range 150 {
		s.do("RPUSH", "resque:queue:a", `{"class":"`+[]string{"Move", "Stay"}[i%5/4]+`","args":[]}`)
	}
	s.do("SADD", "resque:queues", "a")
	page := s.get("/queues/a?class=Move").Body.String()
	present(t, page, "queues/a/jobs/matching/move", "the form")
	absent(t, s.get("/queues/a").Body.String(), "matching/move", "no filter")
	const path = "/queues/a/jobs/matching/move"
	for _, form := range []string{"to=b", "class=&to=b&sure=1", "class=Move&sure=1", "class=Move&to=a&sure=1", "class=Move&to=+&sure=1"} {
		assert.Equal(t, http.StatusBadRequest, s.post(path, form, "Accept: application/json").Code, form)
	}
	ask := s.post(path, "class=Move&to=b")
	present(t, ask.Body.String(), "Move 120 jobs?", "the question")
	present(t, ask.Body.String(), `name="to" value="b"`, "the question")
	assert.Equal(t, http.StatusOK, s.post(path, "class=Move&to=b&sure=1&count=120&typed=12").Code, "asks again")
	assert.Len(t, s.list("resque:queue:a"), 150)
	assert.Equal(t, http.StatusSeeOther, s.post(path, "class=Move&to=b&sure=1&count=120&typed=120").Code)
	s.holds("resque:queue:b", 120)
	assert.Len(t, s.list("resque:queue:a"), 30)

	allowed := open(t, web.Config{Auth: web.DenyFor(web.AllowEveryone(), web.RightEdit)})
	assert.Equal(t, http.StatusForbidden, allowed.post(path, "class=Move&to=b&sure=1").Code)
	absent(t, allowed.get("/queues/a?class=Move").Body.String(), "matching/move", "without the right")
}
