package web_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/browsertest"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/web"
)

// rowNames returns the first link of each row of the first table.
func rowNames(t *testing.T, page string) []string {
	t.Helper()
	var names []string
	for _, tr := range elements(elements(parse(t, page), "tbody")[0], "tr") {
		if all := elements(tr, "a"); len(all) > 0 {
			names = append(names, all[0].words())
		}
	}
	return names
}

// heading returns the link in the heading of a column, and the order that the column says.
func heading(t *testing.T, page, column string) (href, sorted string) {
	t.Helper()
	for _, th := range elements(elements(parse(t, page), "thead")[0], "th") {
		if strings.HasPrefix(th.words(), column) {
			if all := elements(th, "a"); len(all) > 0 {
				return attr(all[0], "href"), attr(th, "aria-sort")
			}
		}
	}
	t.Fatalf("no column %s", column)
	return "", ""
}

func TestTablesOfQueuesAreSortedByColumn(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", "resque:queues", "a", "b", "c")
	for queue, jobs := range map[string]int{"a": 1, "b": 3, "c": 2} {
		for range jobs {
			s.do("RPUSH", "resque:queue:"+queue, `{"class":"Class`+queue+`","args":[]}`)
		}
	}
	for _, path := range []string{"/queues", "/overview"} {
		page := s.get(path).Body.String()
		assert.Equal(t, []string{"a", "b", "c"}, rowNames(t, page)[:3])
		_, sorted := heading(t, page, "Queue")
		assert.Equal(t, "ascending", sorted, path)
		href, sorted := heading(t, page, "Jobs")
		assert.Empty(t, sorted, "not by this column")
		page = s.get(path + href).Body.String()
		assert.Equal(t, []string{"b", "c", "a"}, rowNames(t, page)[:3], "most jobs first")
		href, sorted = heading(t, page, "Jobs")
		assert.Equal(t, "descending", sorted)
		page = s.get(path + href).Body.String()
		assert.Equal(t, []string{"a", "c", "b"}, rowNames(t, page)[:3], "the same link again reverses")
		_, sorted = heading(t, page, "Jobs")
		assert.Equal(t, "ascending", sorted)
	}
	assert.Equal(t, []string{"c", "b", "a"}, rowNames(t, s.get("/queues?sort=next&dir=desc").Body.String())[:3])
	assert.Equal(t, []string{"a", "b", "c"}, rowNames(t, s.get("/queues?sort=nonsense&dir=nonsense").Body.String())[:3])
	href, _ := heading(t, s.get("/queues?q=b&page=1&empty=hide").Body.String(), "Jobs")
	assert.Equal(t, "?empty=hide&q=b&sort=size", href, "the filter stays, the page does not")
	form := s.get("/queues?sort=size&dir=asc").Body.String()
	present(t, form, `<input type="hidden" name="dir" value="asc">`, "the form of the filter keeps the order")
}

// The failures of a queue are counted among the newest ones.
func TestQueuesShowTheirFailures(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("SADD", "resque:queues", "exporters", "mailers", "quiet")
	s.failures(9) // 6 of exporters, 3 of mailers
	var page struct {
		Queues []struct {
			Name     string
			Failures int64
		}
		Sampled int64
	}
	read := func() map[string]int64 {
		require.NoError(t, json.Unmarshal(s.get("/queues.json").Body.Bytes(), &page))
		found := map[string]int64{}
		for _, q := range page.Queues {
			found[q.Name] = q.Failures
		}
		return found
	}
	assert.Equal(t, map[string]int64{"exporters": 6, "mailers": 3, "quiet": 0}, read())
	assert.EqualValues(t, 9, page.Sampled)
	html := s.get("/queues?sort=failures").Body.String()
	assert.Equal(t, []string{"exporters", "mailers", "quiet"}, rowNames(t, html)[:3])
	present(t, html, `href="./failed?queue=exporters"`, "links to them")
	require.Equal(t, 303, s.post("/failed/remove/"+s.ids()[0], "").Code)
	assert.EqualValues(t, 8, read()["exporters"]+read()["mailers"], "an action counts again")

	s.do("SADD", "resque:failed_queues", "quiet_failed") // Ruby's other backend
	s.do("RPUSH", "resque:quiet_failed", record("Quiet", "[]", "E", "m", "quiet", time.Now(), ""))
	require.Equal(t, 303, s.post("/failed/remove/"+s.ids()[0], "").Code)
	assert.EqualValues(t, 1, read()["quiet"])
}

// A long list has a form that goes to a page and keeps the rest of the address.
func TestPagerGoesToAPage(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 2})
	s.failures(30)
	page := s.get("/failed?order=asc").Body.String()
	fields := map[string]string{}
	for _, form := range elements(parse(t, page), "form") {
		for _, in := range elements(form, "input") {
			if attr(in, "name") == "page" {
				for _, in := range elements(form, "input") {
					fields[attr(in, "name")] = attr(in, "value")
				}
			}
		}
	}
	assert.Equal(t, map[string]string{"order": "asc", "page": "1", "upto": "30"}, fields)
	present(t, s.get("/failed?order=asc&upto=30&page=9").Body.String(), "17–18 of 30", "page 9")
	present(t, s.get("/failed?page=99").Body.String(), "29–30 of 30", "beyond the end is the last page")
	absent(t, s.get("/failed?size=10").Body.String(), `name="page"`, "three pages need no form")
}

// The user chooses how many rows a page has. The choice is kept in a cookie.
func TestRowsOnAPage(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{PerPage: 5})
	s.failures(120)
	for i := range 60 {
		s.do("RPUSH", "resque:queue:jobs", fmt.Sprintf(`{"class":"A","args":[%d]}`, i))
	}
	s.do("SADD", "resque:queues", "jobs")
	rows := func(path, cookie string) int {
		return strings.Count(s.get(path, "Cookie: "+cookie).Body.String(), `name="ids"`)
	}
	a := s.post("/settings", "rows=50&back="+escape("failed?q=no&size=5&page=3&upto=120"))
	assert.Equal(t, "./failed?q=no&upto=120", a.Header().Get("Location"), "a page of other rows begins elsewhere")
	cookie := a.Result().Cookies()[0]
	chosen := cookie.Name + "=" + cookie.Value
	for _, path := range []string{"/failed", "/failed?q=no+room", "/queues/jobs", "/queues/jobs?class=A"} {
		assert.Equal(t, 5, rows(path, ""), path)
		assert.Equal(t, 50, rows(path, chosen), path)
		join := map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")]
		assert.Equal(t, 25, rows(path+join+"size=25", chosen), "the address comes first: %s", path)
	}
	for _, bad := range []string{"0", "501", "many"} {
		assert.Empty(t, s.post("/settings", "rows="+bad).Result().Cookies(), bad)
		assert.Equal(t, 5, rows("/failed", cookie.Name+"="+bad), bad)
	}
	present(t, s.get("/failed", "Cookie: "+chosen).Body.String(), `<option value="50" selected>`, "the choice is shown")
	present(t, s.get("/failed").Body.String(), `<option value="5" selected>`, "the default is among the choices")
}

// Workers are listed by host, each host can be folded. Sorted by another column, they are
// one list.
func TestWorkersAreFoldedAndSorted(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.worker("web-1:1:b", ago(time.Minute), working("b", "Long", "[]", time.Hour))
	s.worker("web-1:2:a", ago(time.Second), "")
	s.worker("web-2:3:c", ago(2*time.Minute), working("c", "Short", "[]", time.Minute))
	s.worker("web-3:4:c", "", "")
	page := s.get("/workers").Body.String()
	folds := elements(parse(t, page), "details")
	require.Len(t, folds, 3)
	assert.Equal(t, "web-1 1 of 2 working", elements(folds[0], "summary")[0].words())
	present(t, page, `<details class="host" open`, "open until the user folds it")
	assert.Equal(t, []string{"1", "2"}, rowNames(t, page))
	present(t, page, `href="./workers/web-1"`, "the page of the host")
	for sorted, want := range map[string]string{
		"sort=running":            "web-1:1 web-2:3 web-1:2 web-3:4",
		"sort=running&dir=asc":    "web-2:3 web-1:1 web-1:2 web-3:4",
		"sort=heartbeat":          "web-2:3 web-1:1 web-1:2 web-3:4",
		"sort=queues":             "web-1:2 web-1:1 web-2:3 web-3:4",
		"sort=state&dir=desc":     "web-1:1 web-2:3 web-3:4 web-1:2",
		"sort=heartbeat&dir=asc":  "web-1:2 web-1:1 web-2:3 web-3:4",
		"sort=running&page=1":     "web-1:1 web-2:3 web-1:2 web-3:4",
		"sort=nonsense&dir=other": "1 2",
	} {
		assert.Equal(t, want, strings.Join(rowNames(t, s.get("/workers?"+sorted).Body.String()), " "), sorted)
	}
	classes := func(path string) string {
		page := s.get(path).Body.String()
		return strings.Join(rowNames(t, page), " ")
	}
	assert.Equal(t, "Long Short", classes("/working"))
	assert.Equal(t, "Short Long", classes("/working?sort=running&dir=asc"))
	assert.Equal(t, "Short Long", classes("/working?sort=queue&dir=desc"))
	assert.Equal(t, "Long Short", classes("/working?sort=worker"))
}

func TestGroupsAreSortedByColumn(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(9)
	assert.Equal(t, []string{"Exporter", "Mailer"}, rowNames(t, s.get("/failed?view=groups").Body.String()))
	href, _ := heading(t, s.get("/failed?view=groups").Body.String(), "Class")
	assert.Equal(t, []string{"Exporter", "Mailer"}, rowNames(t, s.get("/failed"+href).Body.String()))
	page := s.get("/failed?view=groups&sort=times&dir=asc").Body.String()
	assert.Equal(t, []string{"Mailer", "Exporter"}, rowNames(t, page))
	absent(t, page, "sort=times&amp;dir=asc&amp;", "the link to a group")
}

// Lists that Redis keeps in one order are sorted by reading a part of them.
func TestBatchesAndStatusesAreSortedByColumn(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fillBatches()
	names := func(query string) []string { return rowNames(t, s.get("/batches"+query).Body.String()) }
	listed := names("")
	require.Len(t, listed, 6)
	_, sorted := heading(t, s.get("/batches").Body.String(), "Failed")
	assert.Empty(t, sorted)
	assert.Equal(t, []string{"019bd0c1a2b-donedonedon", "Import of acme", "Invoices", "Nightly export", "Reindex", "Thumbnails"}, names("?sort=name"))
	assert.Equal(t, []string{"Nightly export", "Invoices"}, names("?sort=failed")[:2])
	assert.Equal(t, "Import of acme", names("?sort=progress&dir=asc")[0], "28 of 40")
	assert.Equal(t, []string{"Import of acme", "Nightly export", "Reindex"}, names("?sort=created")[:3])
	assert.Equal(t, "Thumbnails", names("?sort=created&dir=asc")[0])
	assert.Equal(t, "Thumbnails", names("?sort=state")[0], "canceled")
	assert.Equal(t, listed, names("?sort=nonsense"))
	absent(t, s.get("/batches?sort=name").Body.String(), "Only the first", "all were read")
	for i := range 1200 {
		id := fmt.Sprintf("019a00000%02x-many%06d", i%16, i)
		s.do("HSET", "resque:goresque:batch:"+id, "created", time.Now().UnixMilli(), "sealed", time.Now().UnixMilli(), "total", 10, "pending", i%10, "description", fmt.Sprintf("Batch %04d", i))
		s.do("ZADD", "resque:goresque:batches", "+inf", id)
	}
	page := s.get("/batches?sort=name&page=20").Body.String()
	present(t, page, "951–1,000 of 1,000", "the pages of the sorted part")
	present(t, page, "Only the first 1,000 are sorted and shown.", "page")
	assert.Len(t, names("?sort=name&page=20"), 50)
	assert.Len(t, names("?page=25"), 6, "the list itself has all")
	assert.Len(t, names("?page=99"), 6, "the last page")

	s.fillStatuses()
	states := func(query string) (states []string) {
		rows, _ := s.get("/statuses"+query, "Accept: application/json").told(t)["Statuses"].([]any)
		for _, row := range rows {
			states = append(states, row.(map[string]any)["State"].(string))
		}
		return states
	}
	up, down := states("?sort=state"), states("?sort=state&dir=desc")
	assert.True(t, slices.IsSorted(up), up)
	assert.ElementsMatch(t, states(""), up)
	slices.Reverse(down)
	assert.True(t, slices.IsSorted(down), down)
}

func TestLimitsAndLocksAreSortedByColumn(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fillWorkers()
	s.fillStatuses()
	s.fillLimits()
	s.fillLocks()
	column := func(path, list, name string) (values []string) {
		rows, _ := s.get(path, "Accept: application/json").told(t)[list].([]any)
		for _, row := range rows {
			value := row.(map[string]any)[name]
			if n, ok := value.(float64); ok {
				value = fmt.Sprintf("%020.0f", n)
			}
			values = append(values, fmt.Sprint(value))
		}
		require.Greater(t, len(values), 1, path)
		return values
	}
	for _, c := range [][3]string{
		{"/limits", "Queues", "Queue"},
		{"/limits?sort=waiting&dir=asc", "Queues", "Waiting"},
		{"/limits?sort=running&dir=asc", "Queues", "Running"},
		{"/limits?sort=waiting&dir=asc", "Held", "Waiting"},
		{"/locks?sort=lock", "Locks", "Key"},
		{"/locks?sort=class", "Locks", "Class"},
	} {
		values := column(c[0], c[1], c[2])
		assert.True(t, slices.IsSorted(values), "%v: %v", c, values)
	}
	down := column("/locks?sort=class&dir=desc", "Locks", "Class")
	slices.Reverse(down)
	assert.True(t, slices.IsSorted(down), down)
	left := column("/locks?sort=expires", "Locks", "Left")
	zero := slices.Index(left, fmt.Sprintf("%020d", 0))
	require.Positive(t, zero, "those that never expire are last")
	assert.True(t, slices.IsSorted(left[:zero]), left)
}

// A host that the user folded stays folded when the page refreshes.
func TestBrowserHostsStayFolded(t *testing.T) {
	t.Parallel()
	tab := browsertest.Start(t)
	s := open(t, web.Config{Refresh: time.Second})
	s.worker("web-1:1:a", ago(0), "")
	s.worker("web-2:2:a", ago(0), "")
	tab.Do(browsertest.Navigate(s.listen()+"/workers"), browsertest.Visible("web-1"), click(`details[data-key="web-1"] summary`),
		browsertest.Becomes(`!document.querySelector('details[data-key="web-1"]').open`))
	s.worker("web-1:7:a", ago(0), "")
	tab.Do(browsertest.Visible("0 of 2 working"),
		browsertest.Becomes(`!document.querySelector('details[data-key="web-1"]').open && document.querySelector('details[data-key="web-2"]').open`),
		browsertest.Becomes(`document.activeElement.matches("summary")`))
}

// Redis scans keys in no order, so a part of them is read to sort it.
func TestKeysAreSortedByColumn(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("RPUSH", "resque:queue:b", "1", "2", "3")
	s.do("SADD", "resque:queues", "b")
	s.do("SET", "resque:stat:processed", "10", "EX", 3600)
	s.do("SET", "resque:a", "1", "EX", 60)
	names := func(query string) []string { return rowNames(t, s.get("/stats/keys"+query).Body.String()) }
	assert.Equal(t, []string{"a", "queue:b", "queues", "stat:processed"}, names("?sort=key"))
	assert.Equal(t, []string{"queue:b", "queues", "a", "stat:processed"}, names("?sort=type"), "list, set, string")
	assert.Equal(t, "queue:b", names("?sort=size")[0])
	assert.Equal(t, []string{"a", "stat:processed"}, names("?sort=expires")[:2], "those that never expire are last")
	href, sorted := heading(t, s.get("/stats/keys?cursor=0").Body.String(), "Size")
	assert.Empty(t, sorted)
	page := s.get("/stats/keys" + href).Body.String()
	_, sorted = heading(t, page, "Size")
	assert.Equal(t, "descending", sorted)
	absent(t, page, "Only the first", "all were read")
	redistest.Require(t, "redis", s.server.Real) // the embedded server returns all keys in one reply
	for i := range 1500 {
		s.do("SET", fmt.Sprintf("resque:key-%04d", i), i)
	}
	page = s.get("/stats/keys?sort=key").Body.String()
	present(t, page, "are sorted and shown.", "page")
	absent(t, page, ">More<", "a page of other keys would not be the next one in the order")
	assert.True(t, slices.IsSorted(rowNames(t, page)))
	assert.GreaterOrEqual(t, len(rowNames(t, page)), 1000)
}

func TestFormOfFailuresChoosesTheirOrder(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.failures(3)
	present(t, s.get("/failed?order=asc").Body.String(), `<option value="asc" selected>oldest first`, "form")
	absent(t, s.get("/failed?view=groups").Body.String(), `name="order"`, "groups have columns")
}
