package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// model is what Redis should hold. Successful jobs go to a special queue, so that every
// payload is in exactly one place.
type model struct {
	lists      map[string][]string // by key: the queues, and failed
	records    map[string]store.Reserved
	registered map[string]bool
	pushed     int
}

const finishedQueue = "finished"

func newModel() *model {
	return &model{lists: map[string][]string{}, records: map[string]store.Reserved{}, registered: map[string]bool{}}
}

func queueKey(queue string) string { return "resque:queue:" + queue }

// ending is an outcome and what it does to the model.
type ending struct {
	outcome store.Outcome
	payload string
	list    string
	front   bool
}

func (m *model) put(list, payload string, front bool) {
	if front {
		m.lists[list] = slices.Insert(m.lists[list], 0, payload)
	} else {
		m.lists[list] = append(m.lists[list], payload)
	}
}

func (m *model) settle(e ending) store.FinishResult {
	r, ok := m.records[e.outcome.Worker]
	if !ok || string(r.Guard) != string(e.outcome.Guard) {
		return store.FinishResult{}
	}
	m.put(e.list, e.payload, e.front)
	delete(m.records, e.outcome.Worker)
	return store.FinishResult{Ours: true}
}

func (m *model) exchange(queues []string, endings []ending, free []store.Slot) store.Exchanged {
	var x store.Exchanged
	for _, e := range endings {
		x.Finished = append(x.Finished, m.settle(e))
	}
	waiting := slices.ContainsFunc(queues, func(q string) bool { return len(m.lists[queueKey(q)]) > 0 })
	adopted := map[string]store.Reserved{}
	for _, slot := range free { // records that existed when the call began
		if r, ok := m.records[slot.Worker]; ok {
			r.Adopted = true
			adopted[slot.Worker] = r
		}
	}
	for _, slot := range free {
		if r, ok := adopted[slot.Worker]; ok {
			x.Reserved = append(x.Reserved, r)
		} else if waiting && !m.registered[slot.Worker] {
			x.Unknown = append(x.Unknown, slot.Worker)
		} else if r, ok := m.reserve(queues, slot); ok {
			x.Reserved = append(x.Reserved, r)
		}
	}
	return x
}

func (m *model) reserve(queues []string, slot store.Slot) (store.Reserved, bool) {
	for _, q := range queues {
		list := m.lists[queueKey(q)]
		if len(list) == 0 {
			continue
		}
		m.lists[queueKey(q)] = list[1:]
		guard := fmt.Sprintf(`{"queue":"%s","run_at":"%s",`, q, slot.RunAt)
		r := store.Reserved{Worker: slot.Worker, Queue: q, Payload: []byte(list[0]), Guard: []byte(guard)}
		m.records[slot.Worker] = r
		return r, true
	}
	return store.Reserved{}, false
}

func (m *model) retire(workers []string) {
	var left []store.Reserved
	for _, w := range workers {
		if r, ok := m.records[w]; ok {
			left = append(left, r)
			delete(m.records, w)
		}
		delete(m.registered, w)
	}
	slices.SortFunc(left, func(a, b store.Reserved) int { return strings.Compare(runAt(a), runAt(b)) })
	for _, r := range slices.Backward(left) {
		m.put(queueKey(r.Queue), string(r.Payload), true)
	}
}

func runAt(r store.Reserved) string {
	_, at, _ := strings.Cut(string(r.Guard), `"run_at":`)
	return at
}

// simulation drives a store and the model side by side.
type simulation struct {
	fixture
	model   *model
	rand    *rand.Rand
	workers []string
	queues  []string
	held    map[string]store.Reserved // the jobs that the workers know of
	past    []ending                  // endings of earlier exchanges
	last    func(t *testing.T)        // repeats the last exchange
}

func (s *simulation) sample(from []string) []string {
	some := slices.DeleteFunc(slices.Clone(from), func(string) bool { return s.rand.IntN(2) == 0 })
	s.rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some
}

func (s *simulation) enqueue(t *testing.T) {
	t.Helper()
	payload := fmt.Sprintf(`{"class":"A","args":[%d]}`, s.model.pushed)
	if s.rand.IntN(4) == 0 {
		payload = fmt.Sprintf("\xff%d\n", s.model.pushed)
	}
	queue := s.queues[s.rand.IntN(len(s.queues))]
	s.model.pushed++
	s.model.put(queueKey(queue), payload, false)
	s.push(t, queue, payload)
}

func (s *simulation) end(r store.Reserved) ending {
	o := store.Outcome{Worker: r.Worker, Guard: r.Guard}
	payload := string(r.Payload)
	switch s.rand.IntN(3) {
	case 0:
		o.Effects = append(s.PutBack(finishedQueue, r.Payload), s.Processed(r.Worker)...)
		return ending{o, payload, queueKey(finishedQueue), false}
	case 1:
		o.Effects = append([]store.Effect{s.Fail(r.Payload)}, s.FailedCount(r.Worker)...)
		return ending{o, payload, "resque:failed", false}
	default:
		o.Effects = s.Requeue(r.Queue, r.Payload)
		return ending{o, payload, queueKey(r.Queue), true}
	}
}

func (s *simulation) exchangeSome(t *testing.T) {
	t.Helper()
	var endings []ending
	for _, w := range s.sample(s.workers) {
		if r, ok := s.held[w]; ok {
			endings = append(endings, s.end(r))
		}
	}
	s.past = append(s.past, endings...)
	if len(s.past) > 0 && s.rand.IntN(3) == 0 { // a late finish
		endings = append(endings, s.past[s.rand.IntN(len(s.past))])
	}
	queues, free := s.sample(s.queues), s.slots(s.sample(s.workers)...)
	s.last = func(t *testing.T) {
		t.Helper()
		var outcomes []store.Outcome
		for _, e := range endings {
			outcomes = append(outcomes, e.outcome)
		}
		want := s.model.exchange(queues, endings, free)
		got := s.exchange(t, queues, outcomes, free...)
		require.Equal(t, want, got)
		for _, e := range endings {
			delete(s.held, e.outcome.Worker)
		}
		for _, r := range got.Reserved {
			s.held[r.Worker] = r
		}
	}
	s.last(t)
}

func (s *simulation) leave(t *testing.T) {
	t.Helper()
	leaving := s.sample(s.workers)
	s.model.retire(leaving)
	require.NoError(t, s.Retire(t.Context(), leaving))
	for _, w := range leaving {
		delete(s.held, w)
	}
}

func (s *simulation) join(t *testing.T) {
	t.Helper()
	for _, w := range s.sample(s.workers) {
		s.model.registered[w] = true
		s.register(t, w)
	}
}

// sweep prunes a worker that is still running, as another process may do by mistake.
func (s *simulation) sweep(t *testing.T) {
	t.Helper()
	w := s.workers[s.rand.IntN(len(s.workers))]
	beats, _, err := s.Heartbeats(t.Context())
	require.NoError(t, err)
	record, err := s.Record(t.Context(), w)
	require.NoError(t, err)
	if len(record.Text) == 0 {
		return
	}
	pruned, _, err := s.Prune(t.Context(), record, beats[w], store.Outcome{Effects: []store.Effect{s.Fail(record.Raw)}})
	require.NoError(t, err)
	require.Equal(t, store.PrunedNow, pruned)
	s.model.put("resque:failed", string(record.Raw), false)
	delete(s.model.records, w)
	delete(s.model.registered, w)
}

// check compares Redis with the model, and checks that each payload is in exactly one
// place.
func (s *simulation) check(t *testing.T) {
	t.Helper()
	seen := map[string]int{}
	for list, want := range s.model.lists {
		got := s.list(t, list)
		require.Equal(t, append([]string{}, want...), got, list)
		for _, payload := range got {
			seen[payload]++
		}
	}
	for _, w := range s.workers {
		record, err := s.Record(t.Context(), w)
		require.NoError(t, err)
		require.Equal(t, string(s.model.records[w].Payload), string(record.Raw), w)
		if len(record.Text) > 0 {
			seen[string(record.Raw)]++
		}
	}
	require.Len(t, seen, s.model.pushed, "no payload is lost")
	for payload, n := range seen {
		require.Equal(t, 1, n, payload)
	}
}

func TestNoJobIsLost(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		seed := uint64(time.Now().UnixNano()) //nolint:gosec // any
		t.Logf("seed %d", seed)
		s := &simulation{
			fixture: f, model: newModel(), rand: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // a test
			workers: names("w%d", 5), queues: names("q%d", 3), held: map[string]store.Reserved{}, last: func(*testing.T) {},
		}
		s.join(t)
		for range 250 {
			switch s.rand.IntN(12) {
			case 0, 1, 2:
				s.enqueue(t)
			case 3, 4, 5, 6:
				s.exchangeSome(t)
			case 7, 8:
				s.last(t) // as if the reply had been lost
			case 9:
				s.join(t)
			case 10:
				clear(s.held) // a crash: the process starts again under the same ids
			case 11:
				if s.rand.IntN(2) == 0 {
					s.leave(t)
				} else {
					s.sweep(t)
				}
			}
			s.check(t)
		}
		known, err := redis.Strings(f.do(t, "SMEMBERS", "resque:queues"), nil)
		require.NoError(t, err)
		assert.Subset(t, append(s.queues, finishedQueue), known)
	})
}
