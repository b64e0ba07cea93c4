package web_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// contract is the parsed openapi.json.
type contract struct{ doc map[string]any }

// response returns the schema of the answer of a path.
func (c contract) response(t *testing.T, method, path, status string) map[string]any {
	t.Helper()
	var node any = c.doc
	for _, key := range []string{"paths", path, method, "responses", status, "content"} {
		next, ok := node.(map[string]any)[key]
		require.True(t, ok, "%s %s: no %s", method, path, key)
		node = next
	}
	for _, content := range node.(map[string]any) {
		return content.(map[string]any)["schema"].(map[string]any)
	}
	return nil
}

// check compares a value with a schema.
func (c contract) check(t *testing.T, at string, schema map[string]any, value any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		all := c.doc["components"].(map[string]any)["schemas"].(map[string]any)
		schema, ok = all[ref[strings.LastIndexByte(ref, '/')+1:]].(map[string]any)
		require.True(t, ok, ref)
	}
	if some, ok := schema["anyOf"].([]any); ok {
		if value != nil {
			c.check(t, at, some[0].(map[string]any), value)
		}
		return
	}
	kinds, isList := schema["type"].([]any)
	if one, ok := schema["type"].(string); ok {
		kinds, isList = []any{one}, true
	}
	kind := map[bool]string{true: "null"}[value == nil]
	switch v := value.(type) {
	case bool:
		kind = "boolean"
	case string:
		kind = "string"
	case float64:
		kind = "integer"
	case []any:
		kind = "array"
		if items, ok := schema["items"].(map[string]any); ok {
			for _, item := range v {
				c.check(t, at+"[]", items, item)
			}
		}
	case map[string]any:
		kind = "object"
		properties, ok := schema["properties"].(map[string]any)
		for name, member := range v {
			if !ok {
				break
			}
			property, known := properties[name].(map[string]any)
			require.True(t, known, "%s.%s is not described", at, name)
			c.check(t, at+"."+name, property, member)
		}
	}
	assert.True(t, !isList || slices.Contains(kinds, any(kind)), "%s is %s, described as %v", at, kind, kinds)
}

// The handlers' answers match openapi.json.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fill()
	var c contract
	a := s.get("/openapi.json")
	require.Equal(t, http.StatusOK, a.Code)
	require.NoError(t, json.Unmarshal(a.Body.Bytes(), &c.doc))
	told := func(path string) any {
		var v any
		a := s.get(path, "Accept: application/json")
		require.Equal(t, http.StatusOK, a.Code, path)
		require.NoError(t, json.Unmarshal(a.Body.Bytes(), &v), path)
		return v
	}
	failure := s.href("/failed", "failures/")
	for path, described := range map[string]string{
		"/": "/", "/overview": "/overview", "/queues": "/queues", "/queues/mailers": "/queues/{queue}", "/queues/exports?q=421": "/queues/{queue}",
		"/working": "/working", "/working/web-1.example.com:4212:exports,mailers": "/working/{id}", "/workers": "/workers", "/workers/all": "/workers/all",
		"/workers/worker-3.example.com:31007:billing,reports": "/workers/{id}", "/failed": "/failed", "/failed?class=Exporter": "/failed",
		"/failed?view=groups": "/failed", "/failed?view=hours": "/failed", "/failed/failed": "/failed/{queue}", failure: "/failures/{id}", failure + ".json": "/failures/{id}.json",
		"/stats": "/stats", "/stats/resque": "/stats/resque", "/stats/redis": "/stats/redis", "/stats/keys": "/stats/keys", "/stats/keys/failed": "/stats/keys/{key}",
		"/openapi.json": "/openapi.json",
	} {
		c.check(t, path, c.response(t, "get", described, "200"), told(path))
	}
	for path, form := range map[string]string{
		"/queues/exports/pause": "", "/queues/exports/clear": "sure=1&count=1000&typed=1000", "/failed/requeue/all": "sure=1&count=1000&typed=1000", "/failed/clear": "sure=1&count=1000&typed=1000", "/workers/prune": "sure=1&count=1000&typed=1000",
	} {
		a := s.post(path, form, "Accept: application/json")
		require.Less(t, a.Code, 300, path)
		described := strings.Replace(path, "/exports/", "/{queue}/", 1)
		c.check(t, path, c.response(t, "post", described, "200"), any(a.told(t)))
		if op, ok := a.told(t)["operation"]; ok {
			assert.Equal(t, http.StatusAccepted, a.Code)
			c.check(t, path, c.response(t, "post", described, "202"), any(a.told(t)))
			c.check(t, path, c.response(t, "get", "/ops/{id}", "200"), told("/"+op.(string)))
			require.Eventually(t, func() bool { return s.get("/" + op.(string) + ".json").told(t)["Over"] == true }, waitLong, tick)
		}
	}
	c.check(t, "/trash", c.response(t, "get", "/trash", "200"), told("/trash"))
	a = s.post("/queues/exports/jobs/move", "to=", "Accept: application/json")
	assert.Equal(t, "application/problem+json", a.Header().Get("Content-Type"))
	c.check(t, "a problem", c.response(t, "post", "/queues/{queue}/jobs/move", "default"), any(a.told(t)))
}
