package web_test

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/web"
)

// told returns a failure's page as JSON.
func (s *site) failure(id string) map[string]any {
	s.t.Helper()
	return s.get("/failures/"+pathEscape(id), "Accept: application/json").told(s.t)
}

// The links to the older and newer failure are right, even if positions have changed.
func TestOlderAndNewer(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(4)
	ids := s.ids()
	for i, id := range ids {
		told := s.failure(id)
		newer, older := "", ""
		if i > 0 {
			newer = ids[i-1]
		}
		if i < len(ids)-1 {
			older = ids[i+1]
		}
		assert.Equal(t, []any{older, newer}, []any{told["Older"], told["Newer"]}, id)
	}
	s.do("LPOP", "resque:failed")
	told := s.failure(ids[1])
	assert.EqualValues(t, 1, told["Failure"].(map[string]any)["Position"], "it moved")
	position := func(id string) string { return strings.SplitN(id, "-", 2)[1] }
	assert.Equal(t, position(ids[0]), position(told["Newer"].(string)))
	assert.Contains(t, links(t, s.get("/failures/"+ids[1]).Body.String()), "../failures/"+told["Older"].(string))
}

// The page of a failure that no longer exists says who removed or retried it, if this
// process knows.
func TestGoneSaysWho(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.AuthFunc(func(*http.Request) (web.Access, error) {
		return web.Access{User: "<ann>", Level: web.Write}, nil
	})})
	s.failures(6)
	ids := s.ids()
	s.post("/failed/remove/"+ids[0], "")
	s.post("/failed/requeue/"+ids[1], "")
	s.post("/failed/remove", "sure=1&ids="+ids[2]+"&ids="+ids[3])
	s.do("RPOP", "resque:failed")
	s.do("RPOP", "resque:failed")
	s.do("RPOP", "resque:failed")
	for id, want := range map[string]string{
		ids[0]: "Removed by <ann> at ", ids[1]: "Retried by <ann> at ", ids[2]: "Removed by <ann> at ", ids[4]: "It was retried, removed or cleared in the meantime.",
	} {
		a := s.get("/failures/" + id)
		assert.Equal(t, http.StatusGone, a.Code)
		noCode(t, a)
		assert.Contains(t, text(t, a.Body.String()), want)
		told := s.failure(id)
		assert.Contains(t, told["detail"], want)
	}
}

// If a failure had been removed by another process before, no user of this one is
// named.
func TestGoneSaysNoWrongName(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{Auth: web.AuthFunc(func(*http.Request) (web.Access, error) {
		return web.Access{User: "ann", Level: web.Write}, nil
	})})
	s.failures(3)
	ids := s.ids()
	s.do("RPOP", "resque:failed") // another process
	a := s.post("/failed/remove", "sure=1&ids="+ids[0]+"&ids="+ids[1])
	require.Equal(t, http.StatusSeeOther, a.Code)
	require.Len(t, s.list("resque:failed"), 1, "the other failure is removed")
	page := text(t, s.get("/failures/"+ids[0]).Body.String())
	assert.Contains(t, page, "It was retried, removed or cleared in the meantime.")
	assert.NotContains(t, page, "Removed by")
}

// The texts to copy are right: the test compiles, the command names the failure, and
// neither contains hidden arguments.
func TestCopies(t *testing.T) {
	t.Parallel()
	server := open(t, web.Config{}).server
	s := openOn(t, server, web.Config{})
	hidden := openOn(t, server, web.Config{RedactKeys: []string{"password"}})
	s.fail(record("Billing::Charge", `[{"password":"geheim"},"it's `+"`odd`"+`"]`, "E", "one\nfunc main() {}", "a'b", time.Now(), ""),
		record("9</pre><script>", `[]`, "E", "x", "exports", time.Now(), ""), `{"damaged`)
	mounted := http.StripPrefix("/admin/resque", s.dashboard)
	for i, id := range s.ids() {
		page := ask(t, mounted, http.MethodGet, "/admin/resque/failures/"+id, "")
		require.Equal(t, http.StatusOK, page.Code)
		noCode(t, page)
		says := text(t, page.Body.String())
		assert.Contains(t, says, "'http://example.com/admin/resque/failed/requeue/"+id+"'")
		absent(t, hidden.get("/failures/"+id).Body.String(), "geheim", "the hidden argument")
		for _, pre := range elements(parse(t, page.Body.String()), "pre") {
			if len(pre.children) > 0 && strings.Contains(pre.children[0].text, "func Test") {
				code := pre.children[0].text
				file, err := parser.ParseFile(token.NewFileSet(), "x_test.go", "package x\n"+code, parser.ParseComments)
				require.NoError(t, err, code)
				assert.Len(t, file.Decls, 1, "%s", strconv.Itoa(i))
			}
		}
	}
	present(t, text(t, s.get("/failures/"+s.ids()[2]).Body.String()), "func TestBillingCharge(t *testing.T)", "its name")
}

// The payload of a Rails job has the number of its attempts.
func TestAttemptOfARailsJob(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fail(`{"failed_at":"2026/01/15 12:34:56 UTC","payload":{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[{"job_class":"Mail",` +
		`"arguments":[],"executions":4}]},"exception":"IOError","error":"x","backtrace":[],"worker":"w","queue":"mail"}`)
	id := s.ids()[0]
	assert.EqualValues(t, 5, s.failure(id)["Attempt"])
	present(t, s.get("/failures/"+pathEscape(id)).Body.String(), "Attempt", "its name")
	s.do("DEL", "resque:failed")
	s.failures(1)
	assert.EqualValues(t, 0, s.failure(s.ids()[0])["Attempt"])
}

// The pages of a failure and of a running job have the number of the attempt, if the counter
// of resque-retry or the policy of the class makes it known. Ruby counts an attempt when it
// begins, and Go when it ends.
func TestAttemptOfACountedJob(t *testing.T) {
	t.Parallel()
	mux := resque.NewMux()
	mux.HandleFunc("Mail", func(context.Context, *resque.Payload) error { return nil }, retry.Policy{Limit: 5})
	s := open(t, web.Config{Prune: resque.PruneOptions{Handler: mux}})
	s.retried("Mail", "1", 1, "")
	s.retried("Other", "1", 2, "")
	s.retried("Other", "2", 0, "")
	s.do("SET", "resque:resque-retry:Other:da4b9237bacccdf19c0760cab7aec4a8359010b0", "odd") // of 2
	tests := []struct {
		class, args           string
		failed, ruby, running int64 // attempt
		limit                 int64
	}{
		{"Mail", "[1]", 2, 2, 3, 6},
		{"Mail", "[2]", 0, 0, 1, 6},
		{"Other", "[1]", 3, 3, 4, 0},
		{"Other", "[2]", 0, 0, 0, 0},
		{"Other", "[3]", 0, 0, 0, 0},
	}
	attempts := func(told map[string]any, attempt, limit int64, of any) {
		if attempt == 0 {
			limit = 0
		}
		assert.EqualValues(t, attempt, told["Attempt"], "%v", of)
		assert.EqualValues(t, limit, told["Limit"], "%v", of)
	}
	for i, test := range tests {
		s.fail(record(test.class, test.args, "E", "x", "mail", time.Now(), ""))
		for _, host := range []string{"ruby", "web~go"} {
			s.worker(fmt.Sprintf("%s:%d:mail", host, i), ago(0), working("mail", test.class, test.args, 0))
		}
	}
	ids := s.ids()
	for i, test := range tests {
		attempts(s.failure(ids[len(ids)-1-i]), test.failed, test.limit, test)
		for host, attempt := range map[string]int64{"ruby": test.ruby, "web~go": test.running} {
			id := fmt.Sprintf("%s:%d:mail", host, i)
			attempts(s.get("/workers/"+pathEscape(id), "Accept: application/json").told(t), attempt, test.limit, id)
		}
	}
	assert.Contains(t, text(t, s.get("/workers/web~go:0:mail").Body.String()), "Attempt 3 of 6")
}
