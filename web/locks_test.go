package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

func TestLocksPage(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	absent(t, s.get("/overview").Body.String(), `data-tab="locks"`, "without locks")
	present(t, s.get("/locks").Body.String(), "No job has a lock", "at first")
	s.do("SADD", "resque:queues", "work")
	s.do("RPUSH", "resque:queue:work", `{"class":"J","args":["<1>"]}`)
	s.do("MSET", `resque:lock:J-["<1>"]`, "1", "resque:lock:Gone-[1]", "1", "resque:lock:Gone-[2]", "1")
	page := s.get("/locks").Body.String()
	present(t, page, "lock:J-[&#34;&lt;1&gt;&#34;]", "a lock")
	present(t, page, "no job", "a lock without a job")
	present(t, s.get("/overview").Body.String(), `data-tab="locks"`, "with locks")

	rows, _ := s.get("/locks", "Accept: application/json").told(t)["Locks"].([]any)
	require.Len(t, rows, 3)
	first, _ := rows[0].(map[string]any)
	assert.Equal(t, "lock:Gone-[1]", first["Key"])
	assert.Equal(t, "no job", first["State"])
	queued, _ := rows[2].(map[string]any)
	id, _ := queued["ID"].(string)

	present(t, s.post("/locks/"+id+"/release", "").Body.String(), "Release this lock?", "a question")
	told := s.post("/locks/release", "sure=1", "Accept: application/json").told(t)
	assert.Equal(t, map[string]any{"done": 2.0}, told)
	told = s.post("/locks/"+id+"/release", "sure=1", "Accept: application/json").told(t)
	assert.Equal(t, map[string]any{"done": 1.0}, told)
	assert.Equal(t, http.StatusNotFound, s.post("/locks/"+id+"/release", "sure=1", "Accept: application/json").Code)
	assert.EqualValues(t, 1, s.do("EXISTS", "resque:queue:work"), "the job stays")
}

// If arguments are hidden, so are they in keys.
func TestLocksPageHidesArguments(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{HideArgs: true})
	s.do("MSET", `resque:lock:J-["secret"]`, "1", `resque:queueing:resque_uniqueness:{"class":"K","args":["secret"]}`, "1", "resque:loner:lock:L:secret", "1", "resque:lock:L:secret", "1")
	page := s.get("/locks")
	absent(t, page.Body.String(), "secret", "the page")
	present(t, page.Body.String(), "lock:J…", "the class")
	absent(t, s.get("/locks", "Accept: application/json").Body.String(), "secret", "JSON")
}
