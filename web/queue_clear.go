package web

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis's scripts have it; it tells jobs apart, no more
	"encoding/hex"
	"fmt"
	"net/url"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// removeMatching removes the jobs of a queue that the form's filter passes, in the
// background.
func (h *Dashboard) removeMatching(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	name := q.params["queue"]
	filter := jobFilter{Class: q.FormValue("class"), Text: q.FormValue("q")}
	if filter.isEmpty() {
		return h.clearQueue(q)
	}
	c := queueClear{h: h, queue: name, filter: filter, trash: h.trash(store.QueueTrash, name)}
	if !q.isSure() {
		n, err := c.count(q.Context())
		if err != nil {
			return err
		}
		return h.ask(q, question{
			Title: tn("Remove 1 job?|Remove %s jobs?", n), Yes: t("Remove"), Count: n, Hidden: filter.Hidden(),
			Text: t("Those in queue %s that are like that.", name),
		})
	}
	return h.operate(q, "remove jobs", name, "queues/"+url.PathEscape(name), c.run)
}

// queueClear removes jobs of a queue while workers take others from its front.
type queueClear struct {
	h      *Dashboard
	queue  string
	filter jobFilter
	trash  store.Trash
	tell   func(resque.Progress)
	p      resque.Progress
}

const (
	clearPart   = 500
	clearAtOnce = 50 // in one step, which everybody else waits for
	clearPasses = 20
)

func (c *queueClear) count(ctx context.Context) (n int64, err error) {
	for first := int64(0); ; first += clearPart {
		jobs, _, err := c.h.store.QueuePage(ctx, c.queue, first, first+clearPart-1)
		if err != nil || len(jobs) == 0 {
			return n, err
		}
		for _, raw := range jobs {
			n += int64(count(c.h.passes(c.filter, raw)))
		}
	}
}

// run passes through the queue, and again until nothing is found: workers may have
// taken jobs meanwhile, and what is behind those moved up and was passed over. Jobs
// that come while it runs stay.
func (c *queueClear) run(ctx context.Context, tell func(resque.Progress)) (resque.Progress, error) {
	c.tell = tell
	_, end, err := c.h.store.QueuePage(ctx, c.queue, 0, 0)
	if err != nil {
		return c.p, err
	}
	c.p.Total = end
	for pass := 0; pass < clearPasses && err == nil; pass++ {
		before, gone := c.p.Done, c.p.Gone
		err = c.pass(ctx, end)
		end -= c.p.Done - before
		if c.p.Done == before && c.p.Gone == gone {
			break
		}
	}
	return c.p, err
}

func (c *queueClear) pass(ctx context.Context, end int64) error {
	for at := int64(0); at < end; {
		jobs, _, err := c.h.store.QueuePage(ctx, c.queue, at, min(at+clearPart, end)-1)
		if err != nil || len(jobs) == 0 {
			return err
		}
		var acts []store.FailedAct
		for i, raw := range jobs {
			if c.h.passes(c.filter, raw) {
				sum := sha1.Sum(raw) //nolint:gosec // see the import
				acts = append(acts, store.FailedAct{Position: at + int64(i), SHA1: hex.EncodeToString(sum[:]), Remove: true})
			}
		}
		removed, err := c.remove(ctx, acts)
		at, end = at+int64(len(jobs))-removed, end-removed
		c.p.Seen = min(c.p.Seen+int64(len(jobs)), c.p.Total)
		if err != nil {
			return err
		}
		c.tell(c.p)
	}
	return nil
}

// remove removes jobs, each if it is still where it was.
func (c *queueClear) remove(ctx context.Context, acts []store.FailedAct) (removed int64, err error) {
	for first := 0; first < len(acts); first += clearAtOnce {
		some := acts[first:min(first+clearAtOnce, len(acts))]
		for i := range some {
			some[i].Position -= removed
		}
		acted, err := c.h.store.ActOnQueue(ctx, c.queue, some, c.trash)
		if err != nil {
			return removed, err
		}
		for _, a := range acted {
			if a.Err != nil {
				return removed, fmt.Errorf("removing a job of queue %q: %w", c.queue, a.Err)
			}
			removed += int64(count(a.Done))
			c.p.Done += int64(count(a.Done))
			c.p.Gone += int64(count(!a.Done))
		}
		if c.p.Done > 0 && c.p.Trash == nil && c.trash.Keep > 0 {
			c.p.Trash = trashTokens(c.trash)
			if err := c.h.store.NoteTrash(ctx, c.trash, time.Now()); err != nil {
				return removed, err
			}
		}
	}
	return removed, nil
}
