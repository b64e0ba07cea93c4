package web

import (
	"context"
	"errors"
	"time"

	"github.com/goresque/goresque/resque"
)

// trashPage is the content of the list of removed entries.
type trashPage struct {
	Trash []trashRow
	Kept  time.Duration // 0 if removed entries are not kept
}

// trashRow is what one action removed from a list of failures, a queue or the delayed
// jobs, or which keys the page Doctor removed.
type trashRow struct {
	Token     string
	Name      string
	IsQueue   bool
	IsDelayed bool
	IsKeys    bool
	Entries   int64
	Removed   time.Time
	Until     time.Time
}

// trashed serves the list of removed entries that can be restored.
func (h *Dashboard) trashed(q *request) error {
	all, err := h.client.Trash(q.Context())
	if err != nil {
		return err
	}
	content := trashPage{Kept: max(h.cfg.KeepRemoved, 0)}
	for _, kept := range all {
		row := trashRow{
			Token: kept.Token, Entries: kept.Entries, Removed: kept.Removed, Until: time.Now().Add(kept.Left),
			Name: kept.Queue, IsQueue: kept.IsQueue, IsDelayed: kept.IsDelayed, IsKeys: kept.IsKeys,
		}
		if !row.IsQueue && kept.List != resque.FailedList {
			row.Name = kept.List
		}
		content.Trash = append(content.Trash, row)
	}
	return h.show(q, "trash", q.t("Recently removed"), "trash", content)
}

// trim deletes the oldest removed entries above the limit. An error is only logged,
// because the action itself succeeded.
func (h *Dashboard) trim(ctx context.Context, tokens []string) {
	if len(tokens) == 0 {
		return
	}
	if err := h.client.TrimTrash(ctx, h.cfg.KeepAtMost); err != nil {
		h.cfg.Logger.Warn("dashboard cannot delete old removed entries", "err", err)
	}
}

// restore puts removed entries back.
func (h *Dashboard) restore(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	token := q.params["id"]
	n, err := h.client.Restore(q.Context(), token)
	h.report(q.Context(), q, "restore", token, n, err)
	var equal *resque.EqualJobsError
	if errors.As(err, &equal) {
		h.forget()
		text := q.tn("Restored 1 entry.|Restored %s entries.", n) + " " +
			q.tn("1 job stays here, because an equal job is there now.|%s jobs stay here, because equal jobs are there now.", equal.Jobs)
		return q.back("trash", flash{Text: text, Bad: true}, map[string]any{"done": n, "refused": equal.Jobs})
	}
	if err != nil {
		return err
	}
	h.forget()
	return q.back("failed", flash{Text: q.tn("Restored 1 entry.|Restored %s entries.", n)}, map[string]any{"done": n})
}
