package web_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// runningStatus is the status of a running job.
const runningStatus = "5d1f0c8a2b7e4c1d9a3f6e5b4c2d1a01"

// fillStatuses adds statuses in each state, three of running jobs, one without a class and
// one that has expired.
func (s *site) fillStatuses() {
	s.t.Helper()
	now := time.Now()
	for i, v := range []struct {
		state, options, more string
		ago                  time.Duration
	}{
		{"working", `{"year":2026,"format":"csv"}`, `"name":"YearlyStatement({\"year\"=>2026, \"format\"=>\"csv\"})","num":4120,"total":10000,"message":"writing the statements of customers with M"`, 95 * time.Second},
		{"working", `{"shop":"acme","since":"2026-01-01"}`, `"name":"CatalogImport({\"shop\"=>\"acme\", \"since\"=>\"2026-01-01\"})","num":18,"total":25,"message":"page 18 of 25"`, 40 * time.Second},
		{"working", `{"shop":"initech"}`, `"name":"CatalogImport({\"shop\"=>\"initech\"})"`, 3 * time.Second},
		{"queued", `{"shop":"globex","since":"2026-01-01"}`, ``, 12 * time.Second},
		{"queued", `{}`, ``, 5 * time.Second},
		{"completed", `{"year":2025,"format":"csv"}`, `"name":"YearlyStatement({\"year\"=>2025, \"format\"=>\"csv\"})","num":9811,"total":9811,"message":"Completed at 2026-02-03 04:05:06 +0000"`, 3 * time.Hour},
		{"failed", `{"shop":"hooli"}`, `"name":"CatalogImport({\"shop\"=>\"hooli\"})","num":3,"total":25,"message":"The task failed because of an error: 503 from https://catalog.hooli.example/v2/pages/4: the service is being maintained"`, 5 * time.Hour},
		{"killed", `{"shop":"umbrella"}`, `"name":"CatalogImport({\"shop\"=>\"umbrella\"})","num":11,"total":25,"message":"Killed at 2026-02-03 02:05:06 +0000"`, 6 * time.Hour},
	} {
		id := runningStatus[:len(runningStatus)-1] + strconv.Itoa(i+1)
		created, more := now.Add(-v.ago).Unix(), v.more
		if more != "" {
			more = "," + more
		}
		s.do("SET", "resque:status:"+id, fmt.Sprintf(`{"time":%d,"status":%q,"uuid":%q,"options":%s%s}`, created, v.state, id, v.options, more))
		s.do("ZADD", "resque:_statuses", created, id)
		if v.state == "working" {
			class := map[bool]string{true: "YearlyStatement", false: "CatalogImport"}[i == 0]
			s.worker(fmt.Sprintf("worker-3.example.com~go:40-%d:statements,imports", i), ago(2*time.Second),
				working("imports", class, fmt.Sprintf(`[%q,%s]`, id, v.options), v.ago))
		}
	}
	s.do("ZADD", "resque:_statuses", now.Add(-30*time.Hour).Unix(), "00000000000000000000000000000000")
}

// fillLimits adds limits of queues, one of them full, and the places that are held in
// limits of a class and of keys, one by a job that no longer runs.
func (s *site) fillLimits() {
	s.t.Helper()
	s.do("HSET", "resque:goresque:limits", "images", `{"concurrency":3}`, "imports", `{"concurrency":5,"rate":100,"per":60000,"burst":10}`,
		"mailers", `{"rate":20,"per":1000}`, "billing", `{"concurrency":`)
	hold := func(limit, worker string) {
		record, err := redis.String(s.do("GET", "resque:worker:"+worker), nil)
		require.NoError(s.t, err)
		guard, _, _ := strings.Cut(record, `,"payload"`)
		s.do("HSET", "resque:goresque:held:"+limit, worker, guard)
	}
	for i := range 3 {
		hold("q:images", fmt.Sprintf("worker-2.example.com~go:917-%d:images,search_index,low", 2*i))
		hold("q:imports", fmt.Sprintf("worker-3.example.com~go:40-%d:statements,imports", i))
	}
	hold("c:CatalogImport:acme", "worker-3.example.com~go:40-1:statements,imports")
	hold("c:CatalogImport:initech", "worker-3.example.com~go:40-2:statements,imports")
	hold("c:YearlyStatement", "worker-3.example.com~go:40-0:statements,imports")
	s.do("HSET", "resque:goresque:held:c:CatalogImport:hooli", "worker-4.example.com~go:31-0:imports", `{"queue":"imports","run_at":"2026-02-01T04:05:06.000001Z"`)
	for i := range 4 {
		s.do("RPUSH", "resque:goresque:parked:c:CatalogImport:acme", strconv.Itoa(i))
	}
}

// fillLocks adds locks of a queued job, of a running one, and of none.
func (s *site) fillLocks() {
	s.t.Helper()
	s.do("RPUSH", "resque:queue:images", `{"class":"ResizeImage","args":["lobby.jpg",1200]}`)
	s.do("SET", `resque:lock:ResizeImage-["lobby.jpg", 1200]`, "1768484097", "EX", 3600)
	s.do("SET", `resque:lock:ResizeImage-["gone.jpg", 800]`, "1768484097", "EX", 1200)
	s.do("SET", "resque:loners:queue:closed:job:5d41402abc4b2a76b9719d911017c592", "1")
	s.do("RPUSH", "resque:lock:Odd:1", "x")
}
