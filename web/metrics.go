package web

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// statsText serves Ruby's page for programs, byte for byte, with the queues in order
// of their names.
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
		lines = append(lines, fmt.Sprintf("queues.%s=%d", queue.Queue, queue.Size))
	}
	q.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	send(q, http.StatusOK, []byte(strings.Join(lines, "\n")))
	return nil
}

// metrics serves the numbers for Prometheus.
func (h *Dashboard) metrics(q *request) error {
	var out strings.Builder
	family := func(name, kind, help string) {
		fmt.Fprintf(&out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	q.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	family("resque_up", "gauge", "Whether Redis answers.")
	ctx, cancel := context.WithTimeout(q.Context(), h.budgets.probe)
	defer cancel()
	snap, err := h.snapshot(ctx)
	if err != nil {
		h.cfg.Logger.Warn("dashboard cannot read metrics", "err", err)
		out.WriteString("resque_up 0\n")
		send(q, http.StatusOK, []byte(out.String()))
		return nil
	}
	out.WriteString("resque_up 1\n")
	rows := h.queueRows(snap, failureCount{})
	family("resque_queue_size", "gauge", "Jobs waiting in a queue.")
	for _, r := range rows {
		if r.Damage == "" {
			fmt.Fprintf(&out, "resque_queue_size{queue=%s} %d\n", label(r.Name), r.Size)
		}
	}
	family("resque_queue_oldest_seconds", "gauge", "How long the next job has been waiting, if its payload has the time.")
	for _, r := range rows {
		if r.Oldest > 0 {
			fmt.Fprintf(&out, "resque_queue_oldest_seconds{queue=%s} %.0f\n", label(r.Name), r.Oldest.Seconds())
		}
	}
	states := map[string]int{"working": 0, "idle": 0, "stale": 0, "silent": 0}
	for _, w := range snap.Workers {
		states[h.row(w).State]++
	}
	family("resque_workers", "gauge", "Workers by state.")
	for _, state := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(&out, "resque_workers{state=%s} %d\n", label(state), states[state])
	}
	family("resque_failures", "gauge", "Failures in a list.")
	for _, f := range snap.Failures {
		if f.Err == nil {
			fmt.Fprintf(&out, "resque_failures{list=%s} %d\n", label(f.List), f.Size)
		}
	}
	family("resque_delayed_times", "gauge", "Number of different seconds that have delayed jobs.")
	fmt.Fprintf(&out, "resque_delayed_times %d\n", snap.Delayed)
	family("resque_delayed_late_seconds", "gauge", "How long the first due job has been waiting for a scheduler.")
	fmt.Fprintf(&out, "resque_delayed_late_seconds %.0f\n", snap.Late().Seconds())
	family("resque_processed_total", "counter", "Jobs that ended.")
	fmt.Fprintf(&out, "resque_processed_total %d\n", snap.Processed)
	family("resque_failed_total", "counter", "Jobs that failed.")
	fmt.Fprintf(&out, "resque_failed_total %d\n", snap.Failed)
	fired, err := scheduler.LastFired(ctx, h.client)
	if err != nil { // its key has another type, or Redis is slow
		h.cfg.Logger.Warn("dashboard cannot read when schedules last fired", "err", err)
	}
	family("resque_schedule_last_fired_seconds", "gauge", "When a recurring job was last enqueued, in Unix seconds.")
	for _, name := range slices.Sorted(maps.Keys(fired)) {
		fmt.Fprintf(&out, "resque_schedule_last_fired_seconds{name=%s} %d\n", label(name), fired[name].Unix())
	}
	h.writeFindings(family, func(format string, args ...any) { fmt.Fprintf(&out, format, args...) })
	send(q, http.StatusOK, []byte(out.String()))
	return nil
}

// label quotes the value of a label. Invalid UTF-8 is escaped, because it would
// invalidate the whole scrape.
func label(value string) string {
	if !utf8.ValidString(value) {
		value = strings.Trim(strconv.QuoteToASCII(value), `"`)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}

// health tells a load balancer whether Redis can be read.
func (h *Dashboard) health(q *request) error {
	q.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	ctx, cancel := context.WithTimeout(q.Context(), h.budgets.probe)
	defer cancel()
	if _, err := h.client.Stat(ctx, "processed"); err != nil { // PING works without the right to read
		h.cfg.Logger.Warn("dashboard is not healthy", "err", err)
		fault, _ := resque.Explain(err)
		q.w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = q.w.Write([]byte(cmp.Or(fault.Cause, q.t("Redis cannot be read")) + "\n")) // the client may be gone
		return nil
	}
	_, _ = q.w.Write([]byte("ok\n")) // as above
	return nil
}

//go:embed openapi.json
var openAPI []byte

// openapi serves the description of the dashboard's JSON. TestOpenAPI keeps it in
// step with the handlers.
func (h *Dashboard) openapi(q *request) error {
	q.w.Header().Set("Content-Type", "application/json")
	send(q, http.StatusOK, openAPI)
	return nil
}
