package wire_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/wire"
)

func TestParseWorkerIDReadsEveryImplementation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id        string
		want      wire.WorkerID
		pid, slot int
		process   string
	}{
		{"web-1:12:exports,mail", wire.WorkerID{Host: "web-1", Number: "12", Queues: []string{"exports", "mail"}}, 12, 0, "web-1:12"},
		{"web-1~go:12:*", wire.WorkerID{Host: "web-1", Go: true, Number: "12", Queues: []string{"*"}}, 12, 0, "web-1~go:12"},
		{"web~go:12-3:a,b:c", wire.WorkerID{Host: "web", Go: true, Number: "12-3", Queues: []string{"a", "b:c"}}, 12, 3, "web~go:12"},
		{"web:12-3:a", wire.WorkerID{Host: "web", Number: "12-3", Queues: []string{"a"}}, 12, 3, "web:12"},   // goworker
		{"web:12+3:a", wire.WorkerID{Host: "web", Number: "12+3", Queues: []string{"a"}}, 12, 0, "web:12+3"}, // node-resque
		{"web:12:", wire.WorkerID{Host: "web", Number: "12"}, 12, 0, "web:12"},
		{"web:x-y:a", wire.WorkerID{Host: "web", Number: "x-y", Queues: []string{"a"}}, 0, 0, "web:x"},
		{"::::", wire.WorkerID{Queues: []string{"::"}}, 0, 0, ":"},
	} {
		got, ok := wire.ParseWorkerID(c.id)
		assert.True(t, ok, c.id)
		assert.Equal(t, c.want, got, c.id)
		assert.Equal(t, c.id, got.String())
		assert.Equal(t, []any{c.pid, c.slot, c.process}, []any{got.PID(), got.Slot(), got.Process()}, c.id)
	}
	for id, want := range map[string]wire.WorkerID{
		"": {}, "worker": {Host: "worker"}, "web:12": {Host: "web", Number: "12"}, "w~go": {Host: "w", Go: true},
	} {
		got, ok := wire.ParseWorkerID(id)
		assert.False(t, ok, id)
		assert.Equal(t, want, got, id)
	}
}

func TestGoWorkerIDHasASlotIfNeeded(t *testing.T) {
	t.Parallel()
	queues := []string{"a", "b"}
	assert.Equal(t, "web~go:12:a,b", wire.GoWorkerID("web", 12, 1, 1, queues).String())
	assert.Equal(t, "web~go:12-1:a,b", wire.GoWorkerID("web", 12, 1, 4, queues).String())
	assert.Equal(t, "web~go:12-2:a,b", wire.GoWorkerID("web", 12, 2, 1, queues).String(), "the first id is taken")
	assert.Equal(t, "a-b~go:12:a,b", wire.GoWorkerID("a:b", 12, 1, 1, queues).String(), "a host must not contain a colon")
}

func FuzzParseWorkerID(f *testing.F) {
	for _, id := range []string{"web~go:12-3:a,b", "::::", "web", "web:12+1:*"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		w, ok := wire.ParseWorkerID(id)
		if ok {
			assert.Equal(t, id, w.String())
		}
		assert.GreaterOrEqual(t, w.PID(), 0)
		_ = w.Slot()
	})
}
