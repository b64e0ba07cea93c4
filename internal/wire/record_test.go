package wire_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
)

func TestParseRecordOfAPayloadThatIsNotJSON(t *testing.T) {
	t.Parallel()
	const head = `{"queue":"a\"payload\":b","run_at":"2026-01-15T12:34:56Z",`
	for _, payload := range []string{`{"class":"A","args":["`, "\xff\x00", `}`, "", `{"payload":"`, "{\"a\":\"\xff\"}"} {
		r, err := wire.ParseRecord([]byte(head + `"payload":` + payload + "}"))
		require.NoError(t, err, payload)
		assert.True(t, r.Damaged, payload)
		assert.Equal(t, `a"payload":b`, r.Queue)
		assert.Equal(t, "2026-01-15T12:34:56Z", r.RunAt)
		assert.Equal(t, head, string(r.Guard))
		assert.Equal(t, payload, string(r.Payload))
		assert.Equal(t, payload, string(wire.RestorePayload(r.Stored)))
	}
}

func TestParseRecordReadsEveryImplementation(t *testing.T) {
	t.Parallel()
	const payload = `{"class":"A","args":[1.0]}`
	for name, c := range map[string]struct{ text, runAt string }{
		"Ruby":           {`{"queue":"q","run_at":"2026-01-15T12:34:56Z","payload":` + payload + `}`, "2026-01-15T12:34:56Z"},
		"node-resque":    {`{"worker":"h:1:q","payload":` + payload + `,"queue":"q","run_at":"Thu Jan 15 2026 12:34:56 GMT+0000 (UTC)"}`, "Thu Jan 15 2026 12:34:56 GMT+0000 (UTC)"},
		"Unix seconds":   {`{"queue":"q","run_at":1768480496,"payload":` + payload + `}`, "1768480496"},
		"without a time": {`{"queue":"q","payload":` + payload + `}`, ""},
		"an odd time":    {`{"queue":"q","run_at":{},"payload":` + payload + `}`, ""},
		"white space":    {`{ "queue" : "q" , "run_at" : "soon" , "payload" : ` + payload + ` }`, "soon"},
	} {
		r, err := wire.ParseRecord([]byte(c.text))
		require.NoError(t, err, name)
		assert.Equal(t, "q", r.Queue, name)
		assert.Equal(t, payload, string(r.Payload), name)
		assert.Equal(t, c.runAt, r.RunAt, name)
		at, err := wire.ParseTime(r.RunAt)
		assert.Equal(t, at, wire.RecordRunAt([]byte(c.text)), "%s: %v", name, err)
	}
	for _, text := range []string{"", "null", "{", `{"queue":"q"}`, `[]`, `{"queue":1,"payload":{}}`} {
		_, err := wire.ParseRecord([]byte(text))
		require.Error(t, err, text)
		assert.Zero(t, wire.RecordRunAt([]byte(text)))
	}
}

func TestRecordGuardIsTheBeginningOfTheRecord(t *testing.T) {
	t.Parallel()
	guard := wire.RecordGuard(`"q"`, "2026-01-15T12:34:56.000000001Z")
	r, err := wire.ParseRecord(append(guard, `"payload":{"class":"A","args":[]}}`...))
	require.NoError(t, err)
	assert.Equal(t, string(guard), string(r.Guard))
}

// A guard without run_at would also match the next record of the same worker.
func TestRecordGuardSizeIsThatOfAGuard(t *testing.T) {
	t.Parallel()
	runAt := wire.RunAts(time.Now(), 1)[0]
	for _, queue := range []string{`"q"`, `"exports of 2026"`} {
		assert.Len(t, wire.RecordGuard(queue, runAt), wire.RecordGuardSize(queue))
		assert.Equal(t, wire.RecordGuard(queue, runAt), wire.AppendRecordGuard([]byte("x"), queue, runAt)[1:])
	}
}

func TestRecordGuardHasTheTime(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"queue":"q","payload":{"class":"A","args":[]},"run_at":"2026-01-15T12:34:56Z"}`,
		`{"queue":"q","payload":{"class":"A","args":[]}}`,
	} {
		r, err := wire.ParseRecord([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, text, string(r.Guard), "the whole record")
	}
}

// A job of any program may have the class <unreadable>.
func TestRestorePayloadLeavesOtherPayloads(t *testing.T) {
	t.Parallel()
	for _, args := range []string{`[]`, `["a","b"]`, `[null]`, `[1]`, `[{"base64":1}]`, `[{}]`} {
		payload := `{"class":"<unreadable>","args":` + args + `}`
		assert.Equal(t, payload, string(wire.RestorePayload([]byte(payload))))
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"queue":"q","run_at":"x","payload":{"class":"A","args":[]}}`))
	f.Add([]byte(`{"queue":"q","payload":{"class":"<unreadable>","args":["x"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := wire.ParseRecord(text)
		if err != nil {
			return
		}
		assert.True(t, json.Valid(r.Stored))
		_ = wire.RecordRunAt(text)
	})
}

func FuzzRestorePayload(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("\xff\x00\""))
	f.Add([]byte(`{"class":"<unreadable>","args":["x"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		wrapped := wire.UnreadablePayload(raw)
		require.NoError(t, rubyjson.Valid(wrapped), fmt.Sprintf("%q", raw))
		assert.Equal(t, string(raw), string(wire.RestorePayload(wrapped)))
	})
}
