package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// takes returns the right that an action needs.
func takes(path string) web.Right {
	switch {
	case path == "/workers/host:1:x/resume":
		return web.RightWorkers
	case strings.HasSuffix(path, "/pause"), strings.HasSuffix(path, "/resume"):
		return web.RightPause
	case strings.HasSuffix(path, "/prune"), strings.HasSuffix(path, "/stop"), strings.HasSuffix(path, "/quiet"), strings.HasSuffix(path, "/shutdown"), strings.HasSuffix(path, "/kill"):
		return web.RightWorkers
	case strings.HasSuffix(path, "/move"):
		return web.RightEdit
	case strings.HasSuffix(path, "/clear"), strings.HasSuffix(path, "/clear_retried"), strings.HasSuffix(path, "/all"), strings.HasSuffix(path, "/fix"), strings.HasSuffix(path, "/release"), strings.Contains(path, "statuses/clear"),
		strings.HasSuffix(path, "/cancel"), strings.Contains(path, "queues/") && strings.HasSuffix(path, "/remove") && !strings.HasSuffix(path, "/jobs/remove"), strings.HasSuffix(path, "/matching"):
		return web.RightBulk
	case strings.Contains(path, "/retry/") && strings.HasSuffix(path, "/remove") && !strings.Contains(path, "/jobs/"):
		return web.RightBulk
	case strings.Contains(path, "delayed/"), strings.Contains(path, "retry/"), strings.Contains(path, "/schedule"):
		return web.RightSchedule
	case strings.Contains(path, "requeue"):
		return web.RightRetry
	}
	return web.RightRemove
}

// A user without a right sees no button that needs it, and such actions are refused.
// Everything else works.
func TestSingleRights(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	openOn(t, server, web.Config{}).fill()
	for _, denied := range []web.Right{web.RightRetry, web.RightEdit, web.RightRemove, web.RightBulk, web.RightPause, web.RightWorkers, web.RightSchedule} {
		t.Run(string(denied), func(t *testing.T) {
			t.Parallel()
			s := openOn(t, server, web.Config{Auth: web.AuthFunc(func(*http.Request) (web.Access, error) {
				return web.Access{User: "ann", Level: web.Write, Deny: []web.Right{denied}}, nil
			})})
			refused := 0
			for _, path := range actions {
				if takes(path) == denied {
					a := s.post(path, "sure=1&run_at=x&ids=0-0123456789abcdef&to=x")
					require.Equal(t, http.StatusForbidden, a.Code, path)
					present(t, a.Body.String(), "You may not do this", "%s", path)
					refused++
				}
			}
			assert.Positive(t, refused)
			for _, path := range append(slices.Clone(pagePaths), s.href("/failed", "failures/")) {
				if strings.HasPrefix(path, "/failed/re") {
					continue // GET pages that ask for confirmation
				}
				page := parse(t, s.get(path).Body.String())
				for _, form := range elements(page, "form") {
					for _, button := range elements(form, "button") {
						action := attr(button, "formaction")
						if action == "" {
							action = attr(form, "action")
						}
						if attr(form, "method") == "post" && attr(button, "type") != "button" && !strings.HasSuffix(action, "settings") {
							assert.NotEqual(t, denied, takes(action), "%s has a button for %s", path, action)
						}
					}
				}
			}
		})
	}
	s := openOn(t, server, web.Config{Auth: web.AuthFunc(func(*http.Request) (web.Access, error) {
		return web.Access{User: "ann", Level: web.Write, Deny: []web.Right{web.RightEdit}}, nil
	})})
	id := s.ids()[0]
	assert.Equal(t, http.StatusForbidden, s.post("/failed/requeue/"+id, "queue=slow").Code, "another queue is an edit")
	assert.Equal(t, http.StatusForbidden, s.post("/failed/requeue/"+id, "args=[]").Code)
	assert.Equal(t, http.StatusForbidden, s.post("/failed/requeue", "to=slow&ids="+id).Code)
	assert.Equal(t, http.StatusForbidden, s.post("/failed/requeue/all", "to=slow&sure=1").Code)
	assert.Equal(t, http.StatusSeeOther, s.post("/failed/requeue/"+id, "").Code)
}
