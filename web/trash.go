package web

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// trashPage is the content of the list of what was removed.
type trashPage struct {
	Trash []trashRow
	Kept  time.Duration // 0 where nothing is
}

// trashRow is what one action removed from a list of failures or a queue.
type trashRow struct {
	Token   string
	Name    string
	IsQueue bool
	Entries int64
	Removed time.Time
	Until   time.Time
}

// trashed is the page of what was removed and can be brought back.
func (h *Dashboard) trashed(q *request) error {
	all, err := h.store.Trashes(q.Context())
	if err != nil {
		return err
	}
	content := trashPage{Kept: max(h.cfg.KeepRemoved, 0)}
	for _, kept := range all {
		row := trashRow{Token: kept.Token, Entries: kept.Entries, Removed: kept.Removed, Until: time.Now().Add(kept.Left)}
		row.Name, row.IsQueue = store.TrashedList(kept.Token)
		if row.Name == resque.FailedList && !row.IsQueue {
			row.Name = ""
		}
		content.Trash = append(content.Trash, row)
	}
	return h.show(q, "trash", t("Removed lately"), "trash", content)
}

// trim keeps what was removed within its limit. That it could not is told to the
// log alone: what was asked for is done.
func (h *Dashboard) trim(ctx context.Context, tokens []string) {
	if len(tokens) == 0 {
		return
	}
	if err := h.store.TrimTrash(ctx, h.cfg.KeepAtMost); err != nil {
		h.cfg.Logger.Warn("dashboard cannot trim what was removed", "err", err)
	}
}

// restore brings back what was removed.
func (h *Dashboard) restore(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	token := q.params["id"]
	var n int64
	var err error
	if queue, ok := store.TrashedList(token); ok {
		n, err = h.restoreJobs(q, queue, token)
	} else {
		n, err = h.failures.Restore(q.Context(), token)
	}
	h.report(q.Context(), q, "restore", token, n, err)
	if err != nil {
		return err
	}
	h.forget()
	return q.back("failed", flash{Text: tn("Brought 1 back.|Brought %s back.", n)}, map[string]any{"done": n})
}

func (h *Dashboard) restoreJobs(q *request, queue, token string) (n int64, err error) {
	const part = 500
	for {
		moved, err := h.store.RestoreJobs(q.Context(), queue, token, part)
		n += moved
		switch {
		case err != nil:
			return n, err
		case n == 0:
			return 0, fail(problemGone, nil)
		case moved < part:
			return n, h.store.ForgetTrash(q.Context(), token)
		}
	}
}

func (h *Dashboard) trash(kind, name string) store.Trash {
	if h.cfg.KeepRemoved < 0 {
		return store.Trash{}
	}
	return store.Trash{Token: rand.Text() + ":" + kind + name, Keep: h.cfg.KeepRemoved}
}

// trashTokens is what a flash needs to bring things back.
func trashTokens(t store.Trash) []string {
	if t.Keep <= 0 {
		return nil
	}
	return []string{t.Token}
}
