package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// locksPage is the content of the page of locks.
type locksPage struct {
	Locks    []lockRow // first those of no job
	NoJob    int64     // locks of no job
	Total    int64     // locks that were found
	MoreKeys bool      // there are more keys than were looked at
	MoreJobs bool      // there are more jobs than were looked at
	Known    bool      // the classes are known
	Order    order     `json:"-"`
}

// lockRow is a lock, and the job that has it.
type lockRow struct {
	ID      string // a digest of the key
	Key     string
	Class   string
	Plugin  string
	State   resque.LockState
	Queue   string
	Worker  string
	Due     time.Time
	Why     string        `json:",omitempty"` // why the state is unknown
	Left    time.Duration // until it expires; 0 if it does not
	Damaged bool          `json:",omitempty"`
}

// lockBounds limit what the page looks at.
func lockBounds() resque.LockListOptions {
	return resque.LockListOptions{Parts: 20, Jobs: 20_000, Bytes: 8 << 20}
}

// lockRows is how many locks the page shows.
const lockRows = 500

// locks has no counterpart in Ruby.
func (h *Dashboard) locks(q *request) error {
	locks := h.client.Locks()
	list, err := locks.List(q.Context(), lockBounds())
	if err != nil {
		return err
	}
	if found := len(list.Locks) > 0; h.locked.Swap(found) != found {
		h.forget() // the tab appears
	}
	content := locksPage{Total: int64(len(list.Locks)), MoreKeys: list.MoreKeys, MoreJobs: list.MoreJobs, Known: locks.Known(), Order: newOrder(q, "held", "lock", "class", "expires")}
	for _, lock := range list.Locks {
		if lock.Holder.State == resque.LockNoJob && !lock.Damaged {
			content.NoJob++
		}
		content.Locks = append(content.Locks, h.lockRow(lock))
	}
	first := map[resque.LockState]int{resque.LockNoJob: -2, resque.LockUnknown: -1}
	sortRows(content.Locks, content.Order, map[string]func(a, b lockRow) int{
		"held":    func(a, b lockRow) int { return cmp.Compare(first[a.State], first[b.State]) },
		"lock":    func(a, b lockRow) int { return cmp.Compare(a.Key, b.Key) },
		"class":   func(a, b lockRow) int { return cmp.Compare(a.Class, b.Class) },
		"expires": func(a, b lockRow) int { return cmp.Compare(uint64(a.Left-1), uint64(b.Left-1)) }, // 0 is never, so last
	})
	content.Locks = content.Locks[:min(len(content.Locks), lockRows)]
	return h.show(q, "locks", q.t("Locks"), "locks", content)
}

func (h *Dashboard) lockRow(lock resque.Lock) lockRow {
	row := lockRow{
		ID: lockID(lock.Key), Key: lock.Key, Class: lock.Class, Plugin: lock.Plugin, State: lock.Holder.State, Queue: lock.Holder.Queue,
		Worker: lock.Holder.Worker, Due: lock.Holder.Due, Why: lock.Holder.Why, Left: lock.Left, Damaged: lock.Damaged,
	}
	if h.hides() { // the key has arguments
		row.Key = h.lockName(lock)
	}
	return row
}

// lockName returns the key of a lock, without arguments if they are hidden.
func (h *Dashboard) lockName(lock resque.Lock) string {
	if !h.hides() {
		return lock.Key
	}
	head, _, _ := strings.Cut(lock.Key, ":")
	return head + ":" + lock.Class + "…"
}

func lockID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// releaseLock releases a lock.
func (h *Dashboard) releaseLock(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	list, err := h.client.Locks().List(q.Context(), lockBounds())
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list.Locks, func(l resque.Lock) bool { return lockID(l.Key) == q.params["id"] })
	if at < 0 {
		return fail(problemNoLock, nil)
	}
	lock := list.Locks[at]
	name := cut(200, h.lockName(lock))
	if !q.isSure() {
		text := q.t("No job has it.")
		if lock.Holder.State != resque.LockNoJob {
			text = q.t("The job that has it stays, and an equal job can be enqueued. This cannot be undone.")
		}
		return h.ask(q, question{Title: q.t("Release this lock?"), Yes: q.t("Release"), Text: text, Sample: []string{name}})
	}
	n, err := h.client.Locks().Release(q.Context(), lock.Key)
	h.report(q.Context(), q, "release lock", name, n, err)
	if err != nil {
		return err
	}
	return h.released(q, n)
}

// releaseUnheld releases all locks that no job has.
func (h *Dashboard) releaseUnheld(q *request) error {
	if err := q.mayWrite(); err != nil {
		return err
	}
	if !q.isSure() {
		return h.ask(q, question{
			Title: q.t("Release all locks that no job has?"), Yes: q.t("Release all"),
			Text: q.t("All jobs are looked at twice, 5 seconds apart, so the answer takes a moment. Locks that a job may have stay. This cannot be undone."),
		})
	}
	released, err := h.client.Locks().ReleaseUnheld(q.Context(), lockBounds())
	h.report(q.Context(), q, "release locks", "", int64(len(released)), err)
	if err != nil {
		return err
	}
	return h.released(q, int64(len(released)))
}

func (h *Dashboard) released(q *request, n int64) error {
	h.forget()
	return q.back("locks", flash{Text: q.tn("Released 1 lock.|Released %s locks.", n)}, map[string]any{"done": n})
}
