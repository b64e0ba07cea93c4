package web

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/goresque/goresque/resque"
)

// bulkAct acts on many failures or jobs and reports its progress to tell.
type bulkAct func(ctx context.Context, tell func(resque.BulkProgress)) (resque.BulkProgress, error)

// operation is a bulk action that continues when the user leaves its page. It ends
// with the process. Starting the same action again does the rest.
type operation struct {
	id, name, user string
	cancel         context.CancelFunc
	over           chan struct{}

	mu       sync.Mutex
	progress resque.BulkProgress
	err      error
}

// operations holds the running operation of this process, if any, and the last
// finished ones. Only one can run at a time.
type operations struct {
	mu      sync.Mutex
	current *operation
	last    []*operation
}

func newOperations() *operations { return &operations{} }

// errBusy is returned by begin while another operation is running.
var errBusy = errors.New("web: another operation is running")

// operationsKept is the number of operations whose pages are kept.
const operationsKept = 50

// operationTimeout is the longest time that an operation may run.
const operationTimeout = time.Hour

// begin starts act in the background, unless another operation is running.
func (all *operations) begin(name, user string, act bulkAct, done func(resque.BulkProgress, error)) (*operation, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.current != nil {
		select {
		case <-all.current.over:
		default:
			return nil, errBusy
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), operationTimeout)
	o := &operation{id: rand.Text(), name: name, user: user, cancel: cancel, over: make(chan struct{})}
	all.current = o
	all.last = append(all.last, o)
	if len(all.last) > operationsKept {
		all.last = all.last[1:]
	}
	go func() { // ends when act returns: finished, canceled by the user, or at the time limit
		defer cancel()
		p, err := act(ctx, o.tell)
		done(p, err)
		o.end(p, err)
	}()
	return o, nil
}

// stop cancels the running operation and waits for it.
func (all *operations) stop() {
	all.mu.Lock()
	o := all.current
	all.mu.Unlock()
	if o != nil {
		o.cancel()
		<-o.over
	}
}

func (all *operations) find(id string) *operation {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, o := range all.last {
		if o.id == id {
			return o
		}
	}
	return nil
}

func (o *operation) tell(p resque.BulkProgress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = p
}

func (o *operation) end(p resque.BulkProgress, err error) {
	o.mu.Lock()
	o.progress, o.err = p, err
	o.mu.Unlock()
	close(o.over)
}

func (o *operation) settled(within time.Duration) {
	select {
	case <-o.over:
	case <-time.After(within):
	}
}

func (o *operation) state() (p resque.BulkProgress, over bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.over:
		over = true
	default:
	}
	return o.progress, over, o.err
}

// operationPage is the content of an operation's page.
type operationPage struct {
	ID, Name, User string
	Progress       resque.BulkProgress
	Over           bool
	Canceled       bool
	Failed         bool
	Percent        int64
}

func (h *Dashboard) operationJSON(q *request) error {
	q.json = true
	return h.operation(q)
}

func (h *Dashboard) operation(q *request) error {
	o := h.operations.find(q.params["id"])
	if o == nil {
		return fail(problemNoOperation, nil)
	}
	p, over, err := o.state()
	content := operationPage{
		ID: o.id, Name: o.name, User: o.user, Progress: p, Over: over,
		Canceled: errors.Is(err, context.Canceled), Failed: err != nil && !errors.Is(err, context.Canceled),
	}
	if p.Total > 0 {
		content.Percent = p.Seen * 100 / p.Total
	}
	return h.show(q, "operation", q.t("Progress"), "failed", content)
}

func (h *Dashboard) cancelOperation(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	o := h.operations.find(q.params["id"])
	if o == nil {
		return fail(problemNoOperation, nil)
	}
	o.cancel()
	h.report(q.Context(), q, "cancel", o.name, 1, nil)
	o.settled(time.Second)
	return q.back("ops/"+o.id, flash{}, struct{}{})
}
