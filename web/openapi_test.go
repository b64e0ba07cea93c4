package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// To write openapi.json: go test ./web -run OpenAPI -args -update-openapi.
var updateOpenAPI = flag.Bool("update-openapi", false, "write openapi.json from the routes and their types")

// described is the part of the document that the code does not have: a summary, the
// type of the content, and the parameters.
type described struct {
	summary string
	content any
	query   string
}

const (
	filterQuery  = "class queue exception batch q since after until retried"
	delayedQuery = "class queue args q within at"
)

// describedPages are the pages by their patterns.
var describedPages = map[string]described{ //nolint:gochecknoglobals // a table
	"":                          {"Overview", overviewPage{}, "sort dir"},
	"overview":                  {"Overview", overviewPage{}, "sort dir"},
	"history":                   {"Rates of jobs in a window, and how long jobs took by class; window is 1h, 24h, 7d or 180d", historyPage{}, "window sort dir"},
	"queues":                    {"Queues", queuesPage{}, "q sort dir empty page"},
	"queues/:queue":             {"Jobs of a queue", queuePage{}, "q class dir size page start from"},
	"working":                   {"Running jobs", workingPage{}, "page sort dir"},
	"working/:id":               {"One running job", workerPage{}, ""},
	"workers":                   {"Workers by host", workersPage{}, "page sort dir"},
	"workers/all":               {"Workers by host", workersPage{}, "page sort dir"},
	"workers/:id":               {"One worker, or the workers of a host", workerPage{}, ""},
	"failed":                    {"Failures of all lists, filtered or grouped", failedPage{}, filterQuery + " view order sort dir size page start upto below from count"},
	"failed/:queue":             {"Failures of one list, filtered or grouped", failedPage{}, filterQuery + " view order sort dir size page start upto below from count"},
	"failures/:id":              {"One failure", failurePage{}, ""},
	"failures/:id.json":         {"One failure", failurePage{}, ""},
	"schedule":                  {"Recurring jobs, with their next runs", schedulePage{}, "q sort dir page"},
	"delayed":                   {"Delayed jobs, filtered", delayedPage{}, delayedQuery + " size from start checked found count"},
	"delayed/:ts":               {"Delayed jobs of one second", delayedPage{}, "class queue args q size from start checked found"},
	"delayed/:ts.json":          {"Delayed jobs of one second", delayedPage{}, "class queue args q size from start checked found"},
	"delayed/jobs/:klass":       {"The times at which a job is delayed", delayedPage{}, "args"},
	"delayed/search":            {"Delayed, waiting and running jobs that have a text", searchPage{}, "search"},
	"retry":                     {"Jobs that wait for another attempt, filtered", retryPage{}, delayedQuery + " size from start checked found"},
	"retry/:ts":                 {"Jobs whose next attempt is due in one second", retryPage{}, "class queue args q size from start checked found"},
	"retry/:ts.json":            {"Jobs whose next attempt is due in one second", retryPage{}, "class queue args q size from start checked found"},
	"batches":                   {"Batches of jobs", batchesPage{}, "page sort dir"},
	"batches/:id":               {"One batch", batchPage{}, ""},
	"statuses":                  {"Statuses of jobs", statusesPage{}, "page start per_page sort dir"},
	"statuses/:id":              {"The status of a job", statusPage{}, ""},
	"statuses/:id.js":           {"The status of a job as in Redis, with pct_complete", map[string]any{}, ""},
	"limits":                    {"Limits of queues, and who holds those of classes and keys", limitsPage{}, "sort dir"},
	"locks":                     {"Locks of jobs, and the jobs that have them", locksPage{}, "sort dir"},
	"doctor":                    {"What is wrong, by code", doctorPage{}, ""},
	"stats":                     {"Statistics", statsPage{}, ""},
	"stats/resque":              {"Statistics", statsPage{}, ""},
	"stats/redis":               {"The server's INFO", statsPage{}, ""},
	"stats/keys":                {"Keys of the namespace", statsPage{}, "cursor"},
	"stats/keys/:key":           {"Part of a key's value", statsPage{}, "from"},
	"trash":                     {"Removed jobs and failures that can be restored", trashPage{}, ""},
	"ops/:id":                   {"The progress of an operation", operationPage{}, ""},
	"ops/:id.json":              {"The progress of an operation", operationPage{}, ""},
	"stats.txt":                 {summary: "Ruby's statistics for programs, as text"},
	"metrics":                   {summary: "Metrics for Prometheus, as text"},
	"events":                    {summary: "Server-Sent Events that name the pages which have changed; 503 without Run"},
	"healthz":                   {summary: "Whether Redis answers, as text; 503 if it does not"},
	"openapi.json":              {summary: "This document", content: map[string]any{}},
	"failed/requeue/:id":        {summary: "Ruby's path: a page that asks for confirmation"},
	"failed/remove/:id":         {summary: "Ruby's path: a page that asks for confirmation"},
	"failed/:queue/requeue/:id": {summary: "Ruby's path: a page that asks for confirmation"},
	"failed/:queue/remove/:id":  {summary: "Ruby's path: a page that asks for confirmation"},
}

// describedActions are the requests that change something, with the fields of their
// forms.
var describedActions = map[string]described{ //nolint:gochecknoglobals // a table
	"queues/:queue/remove":             {summary: "Empty a queue and remove it from the list of queues", query: "sure count typed"},
	"queues/:queue/clear":              {summary: "Empty a queue", query: "sure count typed"},
	"queues/remove":                    {summary: "Empty and remove a queue whose name a path cannot contain: an empty name, . or ..", query: "name sure count typed"},
	"queues/clear":                     {summary: "Empty a queue whose name a path cannot contain: an empty name, . or ..", query: "name sure count typed"},
	"queues/:queue/pause":              {summary: "Pause a queue"},
	"queues/:queue/resume":             {summary: "Resume a queue"},
	"queues/:queue/jobs/remove":        {summary: "Remove jobs", query: "ids sure count typed"},
	"queues/:queue/jobs/move":          {summary: "Move jobs to the end of another queue", query: "ids to"},
	"queues/:queue/jobs/matching":      {summary: "Remove all jobs of a queue that match the filter", query: "class q sure count typed"},
	"queues/:queue/jobs/matching/move": {summary: "Move all jobs of a queue that match the filter to the end of another queue; also needs the right edit", query: "class q to sure count typed"},
	"workers/pause":                    {summary: "Pause all workers", query: "sure"},
	"workers/resume":                   {summary: "Resume all workers"},
	"workers/prune":                    {summary: "Prune all stale workers", query: "sure"},
	"workers/:id/prune":                {summary: "Prune a stale worker", query: "sure"},
	"workers/:id/quiet":                {summary: "Tell the process of a Go worker with remote control to take no more jobs", query: "sure"},
	"workers/:id/resume":               {summary: "Tell the process of a Go worker with remote control to take jobs again", query: "sure"},
	"workers/:id/shutdown":             {summary: "Tell the process of a Go worker with remote control to end", query: "sure"},
	"workers/:id/stop":                 {summary: "Stop the job that a Go worker performs since run_at", query: "run_at sure"},
	"failed/clear":                     {summary: "Remove all failures that match the filter", query: filterQuery + " sure count typed"},
	"failed/:queue/clear":              {summary: "Remove all failures of one list that match the filter", query: filterQuery + " sure count typed"},
	"failed/clear_retried":             {summary: "Remove all failures that were retried", query: filterQuery + " sure count typed"},
	"failed/requeue":                   {summary: "Retry failures", query: "ids to remove"},
	"failed/remove":                    {summary: "Remove failures", query: "ids sure count typed"},
	"failed/requeue/all":               {summary: "Retry all failures that match the filter and were not retried", query: filterQuery + " again remove to sure count typed"},
	"failed/:queue/requeue/all":        {summary: "Retry all failures of one list that match the filter and were not retried", query: filterQuery + " again remove to sure count typed"},
	"failed/requeue/:id":               {summary: "Retry a failure", query: "queue args remove again sure"},
	"failed/:queue/requeue/:id":        {summary: "Retry a failure", query: "queue args remove again sure"},
	"failed/remove/:id":                {summary: "Remove a failure", query: "sure"},
	"failed/:queue/remove/:id":         {summary: "Remove a failure", query: "sure"},
	"schedule":                         {summary: "Delete a schedule; a POST needs _method=delete", query: "job_name _method sure"},
	"schedule/requeue":                 {summary: "Run a schedule now", query: "job_name"},
	"schedule/requeue_with_params":     {summary: "Run a schedule now with its parameters, each a field", query: "job_name"},
	"batches/:id/cancel":               {summary: "Cancel a batch: its waiting jobs are not performed", query: "sure"},
	"locks/release":                    {summary: "Release all locks that no job has", query: "sure"},
	"locks/:id/release":                {summary: "Release a lock", query: "sure"},
	"doctor/fix":                       {summary: "Do what can be done without a loss about the findings", query: "sure"},
	"statuses/:id/kill":                {summary: "Kill the job of a status", query: "sure"},
	"statuses/clear":                   {summary: "Remove all statuses; the jobs stay", query: "sure"},
	"statuses/clear/completed":         {summary: "Remove the statuses of completed jobs", query: "sure"},
	"statuses/clear/failed":            {summary: "Remove the statuses of failed jobs", query: "sure"},
	"schedule/enable":                  {summary: "Switch a schedule on", query: "job_name"},
	"schedule/disable":                 {summary: "Switch a schedule off; Ruby's scheduler ignores it", query: "job_name"},
	"delayed/search":                   {"Delayed, waiting and running jobs that have a text", searchPage{}, "search"},
	"delayed/queue_now":                {summary: "Run delayed jobs now", query: "ids timestamp sure"},
	"delayed/cancel_now":               {summary: "Cancel delayed jobs", query: "ids timestamp klass args sure count typed"},
	"delayed/queue_now/:id":            {summary: "Run a delayed job now"},
	"delayed/cancel_now/:id":           {summary: "Cancel a delayed job"},
	"delayed/queue_now/all":            {summary: "Run all delayed jobs that match the filter now", query: delayedQuery + " sure count typed"},
	"delayed/clear":                    {summary: "Cancel all delayed jobs that match the filter", query: delayedQuery + " sure count typed"},
	"retry/queue_now":                  {summary: "Perform jobs that wait for another attempt now", query: "ids"},
	"retry/queue_now/:id":              {summary: "Perform a job that waits for another attempt now"},
	"retry/queue_now/all":              {summary: "Perform all jobs that wait for another attempt and match the filter now", query: delayedQuery + " sure count typed"},
	"retry/cancel_now":                 {summary: "Cancel jobs that wait for another attempt", query: "ids sure count typed"},
	"retry/cancel_now/:id":             {summary: "Cancel a job that waits for another attempt"},
	"retry/clear":                      {summary: "Cancel all jobs that wait for another attempt and match the filter", query: delayedQuery + " sure count typed"},
	"retry/give_up":                    {summary: "Record jobs that wait for another attempt as failed", query: "ids sure count typed"},
	"retry/give_up/:id":                {summary: "Record a job that waits for another attempt as failed"},
	"retry/give_up/all":                {summary: "Record all jobs that wait for another attempt and match the filter as failed", query: delayedQuery + " sure count typed"},
	"retry/:ts/remove":                 {summary: "Cancel all jobs whose next attempt is due in a second", query: "sure count typed"},
	"retry/:ts/jobs/:id/remove":        {summary: "Cancel a job that waits for another attempt; with a job as JSON instead of an id, all equal ones"},
	"ops/:id/cancel":                   {summary: "Stop an operation"},
	"trash/:id/restore":                {summary: "Restore what one action removed"},
	"settings":                         {summary: "Store the user's choices in cookies", query: "theme refresh rows"},
}

// inBackground are the actions that may continue after they have answered.
var inBackground = []string{ //nolint:gochecknoglobals // a table
	"queues/:queue/jobs/matching", "queues/:queue/jobs/matching/move", "failed/clear", "failed/:queue/clear", "failed/clear_retried", "failed/requeue/all", "failed/:queue/requeue/all",
	"delayed/queue_now/all", "delayed/clear", "retry/queue_now/all", "retry/clear", "retry/give_up/all", "retry/:ts/remove",
}

type object = map[string]any

// schemas holds the schemas of the contents by the names of their types.
type schemas object

func (s schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[time.Duration]():
		return object{"type": "integer", "description": "nanoseconds"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() { //nolint:exhaustive // the kinds that contents use
	case reflect.Pointer:
		return object{"anyOf": []any{s.of(t.Elem()), object{"type": "null"}}}
	case reflect.Slice:
		return object{"type": []any{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Struct:
		if _, ok := s[t.Name()]; !ok {
			s[t.Name()] = object{} // the type may contain itself
			properties := object{}
			s.fields(t, properties)
			s[t.Name()] = object{"type": "object", "properties": properties, "additionalProperties": false}
		}
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	return object{"type": "integer"}
}

func (s schemas) fields(t reflect.Type, properties object) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "":
			s.fields(f.Type, properties)
		case f.IsExported() && name != "":
			properties[name] = s.of(f.Type)
		case f.IsExported():
			properties[f.Name] = s.of(f.Type)
		}
	}
}

// jsonForm returns the fields of a form as they may be in a body of JSON.
func jsonForm(form object) object {
	fields := object{}
	for name, schema := range form {
		switch name {
		case "ids":
			fields[name] = schema
		case "args":
			fields[name] = object{"type": []any{"array", "string"}}
		default:
			fields[name] = object{"type": []any{"string", "integer", "boolean"}}
		}
	}
	return fields
}

func named(kind, names string) []any {
	var all []any
	for name := range strings.FieldsSeq(names) {
		all = append(all, object{"name": name, "in": kind, "required": kind == "path", "schema": object{"type": "string"}})
	}
	return all
}

// operationID returns a name of a route that no other route has, such as
// post_queues_queue_clear.
func operationID(r route) string {
	name := strings.NewReplacer("/:", "_", "/", "_", ".", "_", "-", "_").Replace(r.pattern)
	return strings.ToLower(r.method) + "_" + cmp.Or(name, "root")
}

// document describes the routes.
func document(t *testing.T, routes []route) object {
	t.Helper()
	s, paths := schemas{}, object{}
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, r := range routes {
		if strings.HasSuffix(r.pattern, ".poll") || r.pattern == "assets/:name" || r.pattern == "overview/:id" {
			continue // used only by the pages
		}
		table, code := describedPages, "200"
		if r.method != "GET" {
			table = describedActions
		}
		d, ok := table[r.pattern]
		require.True(t, ok, "%s %s is not described", r.method, r.pattern)
		operation := object{"summary": d.summary, "operationId": operationID(r)}
		if r.pattern == "healthz" {
			operation["security"] = []any{} // it needs no access
		}
		var names []string
		for _, m := range parameter.FindAllStringSubmatch(r.pattern, -1) {
			names = append(names, m[1])
		}
		parameters := named("path", strings.Join(names, " "))
		content := object{"text/plain": object{"schema": object{"type": "string"}}}
		wrong := object{"description": "The problem", "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/problem"}}}}
		responses := object{"4XX": wrong, "default": wrong}
		switch {
		case r.method != "GET":
			content = object{"application/json": object{"schema": object{"$ref": "#/components/schemas/done"}}}
			if d.content != nil {
				content = object{"application/json": object{"schema": s.of(reflect.TypeOf(d.content))}}
			}
			if slices.Contains(inBackground, r.pattern) {
				responses["202"] = object{"description": "It continues in the background; operation is the path of its page", "content": content}
			}
			if r.method == "DELETE" {
				parameters = append(parameters, named("query", "job_name")...)
			} else if d.query != "" {
				form := object{}
				for name := range strings.FieldsSeq(d.query) {
					form[name] = object{"type": "string"}
					if name == "ids" {
						form[name] = object{"type": "array", "items": object{"type": "string"}}
					}
				}
				operation["requestBody"] = object{"content": object{
					"application/x-www-form-urlencoded": object{"schema": object{"type": "object", "properties": form}},
					"application/json":                  object{"schema": object{"type": "object", "properties": jsonForm(form)}},
				}}
			}
			if r.right != "" {
				operation["description"] = "Needs the right " + string(r.right) + "."
			}
		case r.pattern == "events":
			content = object{"text/event-stream": object{"schema": object{"type": "string"}}}
		case strings.Contains(d.summary, "asks"):
			content = object{"text/html": object{"schema": object{"type": "string"}}}
		case d.content != nil:
			content = object{"application/json": object{"schema": s.of(reflect.TypeOf(d.content))}}
		}
		if r.method == "GET" {
			parameters = append(parameters, named("query", d.query)...)
		}
		responses[code] = object{"description": d.summary, "content": content}
		if len(parameters) > 0 {
			operation["parameters"] = parameters
		}
		operation["responses"] = responses
		path := "/" + parameter.ReplaceAllString(r.pattern, "{$1}")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(r.method)] = operation
	}
	s["problem"] = object{"type": "object", "additionalProperties": false, "properties": object{
		"code":  object{"type": "string", "enum": problemCodes(t)},
		"title": object{"type": "string"}, "detail": object{"type": "string"}, "status": object{"type": "integer"},
	}}
	s["done"] = object{"type": "object", "additionalProperties": false, "properties": object{
		"done": object{"type": "integer"}, "missing": object{"type": "integer"}, "operation": object{"type": "string"}, "refused": object{"type": "integer"},
		"trash": object{"type": []any{"array", "null"}, "items": object{"type": "string"}},
	}}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "goresque dashboard", "version": "1", "license": object{"name": "MIT", "identifier": "MIT"},
			"description": "Every page answers with JSON to Accept: application/json. Paths are relative to the dashboard's mount. An action that needs confirmation takes sure=1. For more than 100 entries it also takes their number, as count and typed.",
		},
		"servers":  []any{object{"url": ".", "description": "The dashboard's mount"}},
		"security": []any{object{"access": []any{}}},
		"paths":    paths,
		"components": object{"schemas": object(s), "securitySchemes": object{"access": object{
			"type": "http", "scheme": "basic", "description": "With web.BasicAuth and goresque web. A program can have another Auth.",
		}}},
	}
}

// problemCodes returns the codes in problem.go.
func problemCodes(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("problem.go")
	require.NoError(t, err)
	var codes []string
	for _, m := range regexp.MustCompile(`problemCode = "([a-z-]+)"`).FindAllSubmatch(source, -1) {
		codes = append(codes, string(m[1]))
	}
	return codes
}

func TestEveryProblemIsDescribed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, code := range problemCodes(t) {
		d := problemCode(code).describe()
		assert.GreaterOrEqual(t, d.status, 400, code)
		assert.NotEmpty(t, d.advice, code)
		assert.False(t, seen[d.title], "%s has the title of another problem", code)
		seen[d.title] = true
	}
	assert.Greater(t, len(seen), 15)
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	want, err := json.MarshalIndent(document(t, (&Dashboard{}).table()), "", " ")
	require.NoError(t, err)
	want = append(want, '\n')
	if *updateOpenAPI {
		require.NoError(t, os.WriteFile("openapi.json", want, 0o644))
		return
	}
	assert.True(t, bytes.Equal(want, openAPI), "openapi.json is out of date: go test ./web -run OpenAPI -args -update-openapi")
}

// redocly finds no error in openapi.json. Its warnings are Ruby's paths: /failed/remove/:id
// and /failed/:queue/clear match the same address.
func TestOpenAPIPassesRedocly(t *testing.T) {
	t.Parallel()
	const redocly = "testdata/node_modules/.bin/redocly"
	_, err := os.Stat(redocly) // installed by npm ci in testdata
	_, noNode := exec.LookPath("node")
	redistest.Require(t, "node", err == nil && noNode == nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, redocly, "lint", "openapi.json", "--format=json", "--max-problems=1000")
	cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	out, err := cmd.Output()
	var report struct {
		Totals   struct{ Errors int }
		Problems []struct{ RuleID, Severity, Message string }
	}
	require.NoError(t, json.Unmarshal(out, &report), "%v: %s", err, out)
	assert.Zero(t, report.Totals.Errors)
	for _, p := range report.Problems {
		assert.Equal(t, "no-ambiguous-paths", p.RuleID, p.Message)
	}
}
