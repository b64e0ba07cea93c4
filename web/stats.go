package web

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goresque/goresque/internal/store"
)

// statsPage is the content of the pages of numbers.
type statsPage struct {
	Tab      string // resque, redis or keys
	Rows     []statRow
	Groups   []statGroup
	Keys     []store.KeyInfo
	Key      *store.KeyValue
	Next     string
	Eviction string // the server's policy, where it may evict
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
	return h.show(q, "stats", t("Stats"), "stats", statsPage{Tab: "resque", Rows: rows})
}

// Ruby: Resque::Server's /stats/redis.
func (h *Dashboard) redisStats(q *request) error {
	text, err := h.store.Info(q.Context())
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
	return h.show(q, "stats", t("Redis"), "stats", content)
}

// keysAtOnce is about how many keys a page lists.
const keysAtOnce = 200

// Ruby: Resque::Server's /stats/keys, which asks for all of them at once.
func (h *Dashboard) keys(q *request) error {
	cursor, _ := strconv.ParseUint(q.FormValue("cursor"), 10, 64) // anything else is the beginning
	keys, next, err := h.store.ScanKeys(q.Context(), cursor, keysAtOnce)
	if err != nil {
		return err
	}
	content := statsPage{Tab: "keys", Keys: keys}
	if next != 0 {
		content.Next = "?cursor=" + strconv.FormatUint(next, 10)
	}
	return h.show(q, "stats", t("Keys"), "stats", content)
}

// Ruby: Resque::Server's /stats/keys/:key.
func (h *Dashboard) key(q *request) error {
	value, err := h.store.Key(q.Context(), q.params["key"], q.FormValue("from"), 50)
	if errors.Is(err, store.ErrNoKey) {
		return fail(http.StatusNotFound, "gone", err)
	}
	if err != nil {
		return err
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

// statsText is Ruby's page for programs, byte for byte; its order of the queues
// is that of the names.
//
// Ruby: Resque::Server's /stats.txt.
func (h *Dashboard) statsText(q *request) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	s := snap.summary
	lines := []string{
		fmt.Sprintf("resque.pending=%d", s.Pending),
		fmt.Sprintf("resque.processed+=%d", snap.Processed),
		fmt.Sprintf("resque.failed+=%d", snap.Failures[0].Size),
		fmt.Sprintf("resque.workers=%d", s.Workers),
		fmt.Sprintf("resque.working=%d", s.Working),
	}
	for _, queue := range snap.Queues {
		lines = append(lines, fmt.Sprintf("queues.%s=%d", queue.Name, queue.Size))
	}
	q.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	send(q, http.StatusOK, []byte(strings.Join(lines, "\n")))
	return nil
}

// metrics is for Prometheus.
func (h *Dashboard) metrics(q *request) error {
	var out strings.Builder
	family := func(name, kind, help string) {
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	q.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	family("resque_up", "gauge", "Whether Redis answers.")
	snap, err := h.snapshot(q.Context())
	if err != nil {
		out.WriteString("resque_up 0\n")
		send(q, http.StatusOK, []byte(out.String()))
		return nil
	}
	out.WriteString("resque_up 1\n")
	rows := h.queueRows(snap)
	family("resque_queue_size", "gauge", "Jobs waiting in a queue.")
	for _, r := range rows {
		fmt.Fprintf(&out, "resque_queue_size{queue=%s} %d\n", label(r.Name), r.Size)
	}
	family("resque_queue_oldest_seconds", "gauge", "How long the next job has been waiting, where its payload says since when.")
	for _, r := range rows {
		if r.Oldest > 0 {
			fmt.Fprintf(&out, "resque_queue_oldest_seconds{queue=%s} %.0f\n", label(r.Name), r.Oldest.Seconds())
		}
	}
	states := map[string]int{"working": 0, "idle": 0, "stale": 0, "silent": 0}
	for _, w := range snap.Workers {
		states[h.row(w, snap.Now).State]++
	}
	family("resque_workers", "gauge", "Workers by state.")
	for _, state := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(&out, "resque_workers{state=%s} %d\n", label(state), states[state])
	}
	family("resque_failures", "gauge", "Failures in a list.")
	for _, f := range snap.Failures {
		fmt.Fprintf(&out, "resque_failures{list=%s} %d\n", label(f.Name), f.Size)
	}
	family("resque_processed_total", "counter", "Jobs that ended.")
	fmt.Fprintf(&out, "resque_processed_total %d\n", snap.Processed)
	family("resque_failed_total", "counter", "Jobs that failed.")
	fmt.Fprintf(&out, "resque_failed_total %d\n", snap.Failed)
	send(q, http.StatusOK, []byte(out.String()))
	return nil
}

func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}
