package web

import "github.com/goresque/goresque/resque"

// overviewPage is the content of the first page.
type overviewPage struct {
	Queues  []queueRow
	More    int // number of queues that are not shown
	Failed  []failedRow
	Working []workerRow // the first of the running jobs
	Busy    int         // number of running jobs
	Workers int
	Graph   graph

	Sampled int64 // the newest failures, among which those of the queues are counted
	Order   order `json:"-"`
}

// Windows returns the windows of the page of history, for links.
func (overviewPage) Windows() []resque.Window { return resque.Windows() }

// The number of queues and running jobs that the overview shows.
const overviewQueues, overviewWorking = 50, 50

// Ruby: Resque::Server's /overview.
func (h *Dashboard) overview(q *request) error {
	snap, err := h.snapshot(q.Context())
	if err != nil {
		return err
	}
	failures, err := h.countFailing(q.Context(), snap)
	if err != nil {
		return err
	}
	content := overviewPage{
		Queues: h.queueRows(snap, failures), Failed: failedRows(snap), Workers: snap.summary.Workers, Graph: h.rates.graph(),
		Sampled: failures.among, Order: queueOrder(q),
	}
	sortQueues(content.Queues, content.Order)
	busy := busyWorkers(snap)
	content.Busy, content.Working = len(busy), h.busyRows(busy[:min(len(busy), overviewWorking)], snap.Now)
	if over := len(content.Queues) - overviewQueues; over > 0 {
		content.Queues, content.More = content.Queues[:overviewQueues], over
	}
	return h.show(q, "overview", q.t("Overview"), "overview", content)
}
