package web

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// statsPage is the content of the Stats pages.
type statsPage struct {
	Tab      string // resque, redis or keys
	Rows     []statRow
	Groups   []statGroup
	Keys     []resque.KeyInfo
	Key      *resque.KeyValue
	Next     string
	Order    order  `json:"-"`
	Sorted   int64  `json:",omitempty"` // only so many of the keys were sorted
	Eviction string // the server's maxmemory-policy, if it may evict keys
}

type statRow struct {
	Name  string
	Value string
}

type statGroup struct {
	Name string
	Rows []statRow
}

// Ruby: Resque::Server's /stats/resque.
func (h *Dashboard) stats(q *request) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	s := snap.summary
	rows := []statRow{
		{"failed", grouped(s.Failed)},
		{"pending", grouped(s.Pending)},
		{"processed", grouped(snap.Processed)},
		{"queues", grouped(len(snap.Queues))},
		{"workers", grouped(s.Workers)},
		{"working", grouped(s.Working)},
		{"servers", h.client.Redis().String()},
		{"namespace", h.client.Redis().Namespace()},
	}
	server, known, err := h.client.Server(q.Context())
	if err != nil {
		return err
	}
	if known {
		rows = append(rows, serverRows(server)...)
	}
	return h.show(q, "stats", q.t("Stats"), "stats", statsPage{Tab: "resque", Rows: rows})
}

// serverRows are what the Redis server says of itself, which Ruby does not show here.
func serverRows(server resque.Server) []statRow {
	rows := []statRow{{"server", strings.TrimSpace(server.Name + " " + server.Version)}}
	if server.Role == "" {
		return rows // the embedded server
	}
	rows = append(rows, statRow{"role", server.Role}, statRow{"replicas", grouped(server.Replicas)})
	if server.Replicas > 0 {
		rows = append(rows, statRow{"lag", server.Lag.String()})
	}
	return rows
}

// Ruby: Resque::Server's /stats/redis.
func (h *Dashboard) redisStats(q *request) error {
	text, err := h.client.ServerInfo(q.Context())
	if err != nil {
		return err
	}
	content := statsPage{Tab: "redis"}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "#"); ok {
			content.Groups = append(content.Groups, statGroup{Name: strings.TrimSpace(name)})
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		if len(content.Groups) == 0 {
			content.Groups = append(content.Groups, statGroup{})
		}
		last := &content.Groups[len(content.Groups)-1]
		last.Rows = append(last.Rows, statRow{name, value})
		if name == "maxmemory_policy" && value != "noeviction" {
			content.Eviction = value
		}
	}
	return h.show(q, "stats", q.t("Redis"), "stats", content)
}

// keysAtOnce is the approximate number of keys on a page.
const keysAtOnce = 200

// Ruby: Resque::Server's /stats/keys, which lists all keys on one page.
func (h *Dashboard) keys(q *request) error {
	content := statsPage{Tab: "keys", Order: newOrder(q, unsorted, "key", "type", "-size", "expires")}
	keys, next, err := h.someKeys(q, content.Order)
	if err != nil {
		return err
	}
	for i := range keys {
		if prefix, ok := h.hiddenName(keys[i].Name); ok {
			keys[i].Name = prefix + "…" // not the whole name: it has no page
		}
	}
	sortRows(keys, content.Order, map[string]func(a, b resque.KeyInfo) int{
		"key":     func(a, b resque.KeyInfo) int { return cmp.Compare(a.Name, b.Name) },
		"type":    func(a, b resque.KeyInfo) int { return cmp.Compare(a.Type, b.Type) },
		"size":    func(a, b resque.KeyInfo) int { return cmp.Compare(a.Size, b.Size) },
		"expires": func(a, b resque.KeyInfo) int { return cmp.Compare(uint64(a.TTL-1), uint64(b.TTL-1)) }, // 0 is never, so last
	})
	content.Keys = keys
	switch {
	case next == 0:
	case content.Order.IsListed():
		content.Next = "?cursor=" + strconv.FormatUint(next, 10)
	default:
		content.Sorted = int64(len(keys))
	}
	return h.show(q, "stats", q.t("Keys"), "stats", content)
}

// someKeys returns a page of keys, or as many as are sorted. next is 0 if they are the last.
func (h *Dashboard) someKeys(q *request, o order) (keys []resque.KeyInfo, next uint64, err error) {
	if o.IsListed() {
		cursor, _ := strconv.ParseUint(q.FormValue("cursor"), 10, 64) // invalid: start from the beginning
		return h.client.ScanKeys(q.Context(), cursor, keysAtOnce)
	}
	for begun := time.Now(); ; { // other namespaces can have most keys
		var found []resque.KeyInfo
		found, next, err = h.client.ScanKeys(q.Context(), next, keysAtOnce)
		keys = append(keys, found...)
		if err != nil || next == 0 || len(keys) >= sortedAtMost || time.Since(begun) > h.budgets.scan {
			return keys, next, err
		}
	}
}

// hiddenName returns the prefix of the name of a key of jobs, whose names have arguments. ok is
// false for other keys, and if arguments are not hidden.
func (h *Dashboard) hiddenName(name string) (prefix string, ok bool) {
	if !h.hides() {
		return "", false
	}
	for _, prefix := range []string{
		"timestamps:", "lock:", "loner:lock:", "queueing:resque_uniqueness:", "performing:resque_uniqueness:",
		"goresque:held:c:", "goresque:rate:c:", "goresque:parked:c:", "goresque:wait:c:",
	} {
		if strings.HasPrefix(name, prefix) {
			return prefix, true
		}
	}
	return "", false
}

// Ruby: Resque::Server's /stats/keys/:key.
func (h *Dashboard) key(q *request) error {
	value, ok, err := h.client.ReadKey(q.Context(), q.params["key"], q.FormValue("from"), 50)
	if err != nil {
		return err
	}
	if !ok {
		return fail(problemNoKey, nil)
	}
	for i, text := range value.Values {
		value.Values[i] = h.hideRaw(text, value.Type == "list")
	}
	content := statsPage{Tab: "keys", Key: &value}
	if value.Next != "" {
		content.Next = "?from=" + value.Next
	}
	return h.show(q, "stats", value.Name, "stats", content)
}
