package web_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

func TestBatchesShowProgressAndFailures(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	empty := open(t, web.Config{})
	absent(t, empty.get("/overview").Body.String(), "batches", "there are none")
	present(t, empty.get("/batches").Body.String(), "No batches.", "page")
	s.fillBatches()
	present(t, s.get("/overview").Body.String(), "Batches", "page")
	list := s.get("/batches")
	states := map[string]string{}
	rows, _ := s.get("/batches", "Accept: application/json").told(t)["Batches"].([]any)
	for _, row := range rows {
		states[row.(map[string]any)["ID"].(string)] = row.(map[string]any)["State"].(string)
	}
	assert.Equal(t, map[string]string{
		nightlyBatch: "running", "019be0c1a2b-growing": "open", "019bd0c1a2b-donedonedon": "succeeded", "019bc0c1a2b-failedfaile": "failed",
		"019bb0c1a2b-cancelledca": "canceled", "019ba0c1a2b-faultfaultf": "running",
	}, states)
	present(t, list.Body.String(), "Nightly export", "page")
	present(t, list.Body.String(), "858 of 1,200 ended", "page")
	present(t, list.Body.String(), "2 abandoned", "page")
	present(t, list.Body.String(), "failed?batch="+nightlyBatch+"&amp;retried=no", "page")
	present(t, list.Body.String(), "has another type", "page")
	page := s.get("/batches/" + nightlyBatch)
	present(t, page.Body.String(), "Nightly export", "page")
	present(t, page.Body.String(), "342", "page")
	present(t, page.Body.String(), "MonthlyReport", "page")
	present(t, page.Body.String(), "Publish", "page")
	present(t, page.Body.String(), "Cancel the batch", "page")
	assert.Equal(t, http.StatusNotFound, s.get("/batches/gone").Code)
	assert.Equal(t, http.StatusNotFound, s.get("/batches/A:B").Code)
	s.do("DEL", "resque:goresque:batches")
	s.do("SET", "resque:goresque:batches", "x")
	present(t, s.get("/batches").Body.String(), "WRONGTYPE", "page")
}

func TestFailuresOfABatch(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	member := `{"failed_at":"2026/01/02 03:04:05 UTC","payload":{"class":"Member","args":[1],"batch":{"id":"` + nightlyBatch + `","n":1}},"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"q"}`
	s.fail(member, `{"failed_at":"2026/01/02 03:04:05 UTC","payload":{"class":"Stranger","args":["`+nightlyBatch+`"]},"exception":"E","error":"e","backtrace":[],"worker":"w","queue":"q"}`)
	body := s.get("/failed?batch=" + nightlyBatch).Body.String()
	present(t, body, "Member", "page")
	present(t, body, "1 matches.", "page")
	present(t, body, `name="batch"`, "page")
	absent(t, body, "Stranger", "only an argument names the batch")
}

func TestCancelABatch(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fillBatches()
	path := "/batches/" + nightlyBatch + "/cancel"
	present(t, s.post(path, "x=1").Body.String(), "Cancel this batch?", "page")
	a := s.post(path, "sure=1")
	require.Equal(t, http.StatusSeeOther, a.Code, a.Body)
	assert.Equal(t, int64(1), s.do("HEXISTS", "resque:goresque:batch:"+nightlyBatch, "cancelled"))
	absent(t, s.get("/batches/"+nightlyBatch).Body.String(), "/cancel", "it is canceled")
	assert.Equal(t, http.StatusNotFound, s.post("/batches/gone/cancel", "sure=1").Code)
}
