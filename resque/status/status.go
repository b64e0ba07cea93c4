package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/resque"
)

// State is the state of a job with a status.
type State string

// The states.
const (
	Queued    State = "queued"
	Working   State = "working"
	Completed State = "completed"
	Failed    State = "failed"
	Killed    State = "killed"
)

// Ended reports whether the job has ended.
func (s State) Ended() bool { return s == Completed || s == Failed || s == Killed }

// States returns all states.
func States() []State { return []State{Queued, Working, Completed, Failed, Killed} }

// Status is the status of a job.
//
// Ruby: Resque::Plugins::Status::Hash.
type Status struct {
	ID      string
	State   State
	Name    string    // the class and its options, as Ruby inspects them; empty until the job has begun
	Message string    // the last message
	Time    time.Time // when the job was enqueued
	Num     float64   // how much of Total is done
	Total   float64   // 0 if the job has not reported progress

	// Options are the options of the job as JSON. They are nil if they are not known.
	Options json.RawMessage
	// Raw is the whole status as it is in Redis.
	Raw json.RawMessage
}

// parse parses the value of a status. It never fails: another program may have written it.
func parse(id string, raw []byte) Status {
	s := Status{ID: id, Raw: raw}
	var members struct {
		Time    json.RawMessage `json:"time"`
		Status  json.RawMessage `json:"status"`
		Name    json.RawMessage `json:"name"`
		Message json.RawMessage `json:"message"`
		Num     json.RawMessage `json:"num"`
		Total   json.RawMessage `json:"total"`
		Options json.RawMessage `json:"options"`
	}
	_ = json.Unmarshal(raw, &members)
	state, _ := rubyjson.Text(members.Status)
	s.State = State(state)
	s.Name, _ = rubyjson.Text(members.Name)
	s.Message, _ = rubyjson.Text(members.Message)
	s.Num, s.Total, s.Options = number(members.Num), number(members.Total), members.Options
	if at := number(members.Time); at > 0 && at < 1<<40 {
		s.Time = time.Unix(int64(at), 0)
	}
	return s
}

// number returns the number in a member, or 0.
func number(raw json.RawMessage) float64 {
	s, ok := rubyjson.Text(raw)
	if !ok {
		s = string(raw)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0
	}
	return n
}

// Percent returns how much of the work is done, from 0 to 100. It is 100 for a completed
// job, and 0 for one that has not reported progress.
//
// Ruby: Resque::Plugins::Status::Hash#pct_complete.
func (s Status) Percent() int {
	switch {
	case s.State == Completed:
		return 100
	case s.State == Queued || s.Total <= 0:
		return 0
	}
	return int(max(0, min(100, s.Num/s.Total*100)))
}

// Member returns a member of the status. ok is false if there is none.
func (s Status) Member(name string) (raw json.RawMessage, ok bool) {
	spans, err := rubyjson.Spans(s.Raw, name)
	if err != nil || len(spans[0].Of(s.Raw)) == 0 {
		return nil, false
	}
	return spans[0].Of(s.Raw), true
}

// MarshalJSON returns the status as in Redis, with the member pct_complete added.
//
// Ruby: Resque::Plugins::Status::Hash#json.
func (s Status) MarshalJSON() ([]byte, error) {
	raw := bytes.TrimSpace(s.Raw)
	if len(raw) < 2 || raw[0] != '{' || !json.Valid(raw) {
		return fmt.Appendf(nil, `{"uuid":%s,"status":"","pct_complete":0}`, text(s.ID)), nil
	}
	comma := ","
	if len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0 {
		comma = ""
	}
	return fmt.Appendf(nil, `%s%s"pct_complete":%d}`, raw[:len(raw)-1], comma, s.Percent()), nil
}

// Get returns the status of a job. ok is false if it has none, or no longer.
//
// Ruby: Resque::Plugins::Status::Hash.get.
func Get(ctx context.Context, c *resque.Client, id string) (s Status, ok bool, err error) {
	texts, err := reader(c).ReadStatuses(ctx, id)
	if err != nil || texts[0] == nil {
		return s, false, wrap(err)
	}
	return parse(id, texts[0]), true, nil
}

// GetAll returns the statuses of several jobs by their uuids, without those that have none.
// It takes one round trip.
//
// Ruby: Resque::Plugins::Status::Hash.mget.
func GetAll(ctx context.Context, c *resque.Client, ids ...string) (map[string]Status, error) {
	texts, err := reader(c).ReadStatuses(ctx, ids...)
	if err != nil {
		return nil, wrap(err)
	}
	all := map[string]Status{}
	for i, raw := range texts {
		if raw != nil {
			all[ids[i]] = parse(ids[i], raw)
		}
	}
	return all, nil
}

// List returns the newest statuses, the newest first, from the position first on, and how
// many there are in all. Those that have expired are left out.
//
// Ruby: Resque::Plugins::Status::Hash.statuses.
func List(ctx context.Context, c *resque.Client, first, count int64) (statuses []Status, all int64, err error) {
	if first < 0 || count <= 0 {
		return nil, 0, fmt.Errorf("status: List: first is %d and count is %d; first must not be negative, and count must be positive", first, count)
	}
	ids, all, err := reader(c).StatusIDs(ctx, first, count)
	if err != nil {
		return nil, 0, wrap(err)
	}
	texts, err := reader(c).ReadStatuses(ctx, ids...)
	if err != nil {
		return nil, 0, wrap(err)
	}
	for i, raw := range texts {
		if raw != nil {
			statuses = append(statuses, parse(ids[i], raw))
		}
	}
	return statuses, all, nil
}

// part is how many statuses are read or removed at a time.
const part = 500

// All returns all statuses, the newest first. It reads them in parts. A status that is
// created meanwhile may be missing, and no status is returned twice unless others are
// created.
func All(ctx context.Context, c *resque.Client) iter.Seq2[Status, error] {
	return func(yield func(Status, error) bool) {
		for first := int64(0); ; first += part {
			statuses, all, err := List(ctx, c, first, part)
			if err != nil {
				yield(Status{}, err)
				return
			}
			for _, s := range statuses {
				if !yield(s, nil) {
					return
				}
			}
			if first+part >= all {
				return
			}
		}
	}
}

// Kill kills a job: a waiting one ends as killed when a worker takes it, without being
// performed, and the context of a running one ends with [resque.ErrKilled]. A worker of
// the plugin kills a job the next time that it reports progress. ok is false if the job has
// no status or has ended.
//
// Ruby: Resque::Plugins::Status::Hash.kill.
func Kill(ctx context.Context, c *resque.Client, id string) (ok bool, err error) {
	s, ok, err := Get(ctx, c, id)
	if err != nil || !ok || s.State.Ended() {
		return false, err
	}
	return true, wrap(reader(c).KillStatuses(ctx, id))
}

// KillAll kills all jobs that have a status and have not ended, and returns how many.
//
// Ruby: Resque::Plugins::Status::Hash.killall.
func KillAll(ctx context.Context, c *resque.Client) (killed int64, err error) {
	var ids []string
	for s, err := range All(ctx, c) {
		if err != nil {
			return 0, err
		}
		if !s.State.Ended() {
			ids = append(ids, s.ID)
		}
	}
	for len(ids) > 0 {
		some := ids[:min(part, len(ids))]
		if err := reader(c).KillStatuses(ctx, some...); err != nil {
			return killed, wrap(err)
		}
		killed, ids = killed+int64(len(some)), ids[len(some):]
	}
	return killed, nil
}

// Clear removes the statuses in the given states, at least one, and returns how many. The
// jobs stay: a job whose status was removed begins a new one.
//
// Ruby: Resque::Plugins::Status::Hash.clear, clear_completed, clear_failed.
func Clear(ctx context.Context, c *resque.Client, states ...State) (removed int64, err error) {
	if len(states) == 0 {
		return 0, errors.New("status: Clear: no states given (pass status.States()... for all)")
	}
	in := map[State]bool{}
	for _, s := range states {
		in[s] = true
	}
	var ids []string
	for s, err := range All(ctx, c) {
		if err != nil {
			return 0, err
		}
		if in[s.State] {
			ids = append(ids, s.ID)
		}
	}
	for len(ids) > 0 {
		some := ids[:min(part, len(ids))]
		n, err := reader(c).RemoveStatuses(ctx, some...)
		if removed += n; err != nil {
			return removed, wrap(err)
		}
		ids = ids[len(some):]
	}
	return removed, nil
}

func reader(c *resque.Client) *store.Store { return store.WithoutScripts(c.Redis()) }

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("status: %w", err)
}
