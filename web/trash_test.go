package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
	"github.com/goresque/goresque/web"
)

// trash returns the rows of the page of removed entries.
func (s *site) trash() []map[string]any {
	s.t.Helper()
	var rows []map[string]any
	listed, _ := s.get("/trash", "Accept: application/json").told(s.t)["Trash"].([]any)
	for _, row := range listed {
		rows = append(rows, row.(map[string]any))
	}
	return rows
}

// ageTrash makes removed entries a minute older.
func (s *site) ageTrash() {
	s.t.Helper()
	tokens, err := redis.Strings(s.do("ZRANGE", "resque:goresque:trashes", 0, -1), nil)
	require.NoError(s.t, err)
	for _, token := range tokens {
		s.do("ZINCRBY", "resque:goresque:trashes", -60_000, token)
	}
}

// Removed entries are listed until they are restored.
func TestTrash(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(6)
	s.jobs("exports", four...)
	present(t, s.get("/trash").Body.String(), "Nothing was removed recently", "at first")
	s.post("/failed/remove/"+s.ids()[0], "")
	s.post("/failed/requeue/"+s.ids()[0], "remove=1")
	s.post("/failed/requeue/"+s.ids()[0], "")
	s.post("/failed/clear_retried", "sure=1")
	s.post("/queues/exports/jobs/remove", "ids="+s.jobIDs("exports")[2])
	s.post("/failed/clear", "sure=1")
	s.post("/queues/exports/remove", "sure=1")
	rows := s.trash()
	require.Len(t, rows, 6)
	var entries []float64
	for _, row := range rows {
		entries = append(entries, row["Entries"].(float64))
	}
	assert.ElementsMatch(t, []float64{3, 3, 1, 1, 1, 1}, entries)
	page := s.get("/trash").Body.String()
	present(t, page, "queue exports", "the queue")
	assert.Equal(t, 6, strings.Count(page, "/restore"))
	before := dump(t, s)
	s.get("/trash")
	assert.Equal(t, before, dump(t, s), "viewing changes nothing")
	for _, row := range rows {
		require.Equal(t, http.StatusSeeOther, s.post("/trash/"+pathEscape(row["Token"].(string))+"/restore", "").Code)
	}
	assert.Len(t, s.list("resque:failed"), 6)
	assert.Len(t, s.list("resque:queue:exports"), 4)
	assert.Empty(t, s.trash())
}

// Above the limit the oldest entries are deleted. The last action's entries always
// stay.
func TestTrashHasALimit(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{KeepAtMost: 5})
	s.failures(4)
	s.post("/failed/clear", "sure=1")
	s.trashHolds(4)
	s.failures(2)
	s.ageTrash()
	s.post("/failed/clear", "sure=1")
	s.trashHolds(2) // 4 and 2 are more than 5
	s.failures(9)
	s.ageTrash()
	s.post("/failed/clear", "sure=1")
	s.trashHolds(9)
}

// trashHolds waits until exactly these entries can be restored. An action in the
// background may be slow.
func (s *site) trashHolds(entries float64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		rows := s.trash()
		return len(rows) == 1 && rows[0]["Entries"] == entries
	}, waitLong, tick)
}

// Every action applies the limit, not only those on all failures.
func TestEveryActionKeepsToTheTrashLimit(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(s *site) answer{
		"remove one":       func(s *site) answer { return s.post("/failed/remove/"+s.ids()[0], "") },
		"retry and remove": func(s *site) answer { return s.post("/failed/requeue/"+s.ids()[0], "remove=1") },
		"remove selected":  func(s *site) answer { return s.post("/failed/remove", "sure=1&ids="+s.ids()[0]) },
		"remove all":       func(s *site) answer { return s.post("/failed/clear", "sure=1&class=Mailer") },
		"remove a job":     func(s *site) answer { return s.post("/queues/exports/jobs/remove", "ids="+s.jobIDs("exports")[0]) },
		"clear a queue":    func(s *site) answer { return s.post("/queues/exports/clear", "sure=1") },
		"remove jobs":      func(s *site) answer { return s.post("/queues/exports/jobs/matching", "sure=1&class=A") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, web.Config{KeepAtMost: 4})
			s.failures(4)
			s.post("/failed/clear", "sure=1")
			require.Len(t, s.trash(), 1)
			s.ageTrash()
			s.failures(3)
			s.jobs("exports", four...)
			require.Equal(t, http.StatusSeeOther, act(s).Code)
			rows := s.trash()
			require.Len(t, rows, 1, "with the earlier entries there are more than 4")
			assert.Less(t, rows[0]["Entries"], 5.0)
			assert.EqualValues(t, 1, s.do("ZCARD", "resque:goresque:trashes"))
			left, err := redis.Strings(s.do("KEYS", "resque:goresque:trash:*"), nil)
			require.NoError(t, err)
			assert.Len(t, left, 1, "no keys of the deleted entries remain")
		})
	}
}

// Expired entries are not listed, and neither are keys of other kinds.
func TestTrashThatIsGone(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("ZADD", "resque:goresque:trashes", 1, "expired:failed", 2, "odd:failed", 3, "<script>alert(1)</script>:queue:<b>")
	s.do("SET", "resque:goresque:trash:odd:failed", "x")
	s.do("RPUSH", "resque:goresque:trash:<script>alert(1)</script>:queue:<b>", "x")
	a := s.get("/trash")
	noCode(t, a)
	assert.Len(t, s.trash(), 1)
}

// The dashboard frees the locks of the jobs that it removes: those that Ruby's plugins would
// use if it does not know the classes. If it knows them, restored jobs take their locks again.
func TestRemovedJobsFreeTheirLocks(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	mux := resque.NewMux()
	mux.HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil }, unique.Policy{})
	stranger, knows := openOn(t, server, web.Config{}), openOn(t, server, web.Config{Prune: resque.PruneOptions{Handler: mux}})
	route, _ := mux.Route("Exporter")
	client := server.Client(t)
	enqueue := func(want resque.ReceiptState) {
		receipt, err := client.Enqueue(t.Context(), route.Job(1).To("exports"))
		require.NoError(t, err)
		require.Equal(t, want, receipt.State)
	}
	enqueue(resque.Queued)
	stranger.post("/queues/exports/clear", "sure=1")
	enqueue(resque.Queued)
	knows.post("/queues/exports/clear", "sure=1")
	enqueue(resque.Queued)
	knows.post("/queues/exports/jobs/remove", "ids="+knows.jobIDs("exports")[0])
	tokens, err := redis.Strings(knows.do("ZRANGE", "resque:goresque:trashes", 0, -1), nil)
	require.NoError(t, err)
	token := tokens[len(tokens)-1]
	enqueue(resque.Queued)
	told := knows.post("/trash/"+url.PathEscape(token)+"/restore", "", "Accept: application/json").told(t)
	assert.Equal(t, map[string]any{"done": 0.0, "refused": 1.0}, told)
	knows.post("/queues/exports/clear", "sure=1")
	told = knows.post("/trash/"+url.PathEscape(token)+"/restore", "", "Accept: application/json").told(t)
	assert.Equal(t, map[string]any{"done": 1.0}, told)
	enqueue(resque.Duplicate)
}
