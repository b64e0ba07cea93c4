package golden

import (
	"bytes"
	"embed"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:embed family/*.jsonl
var family embed.FS

// Recording is what one of the libraries around Resque was recorded to do.
type Recording struct {
	Name       string           `json:"scenario"`
	Call       string           `json:"call"` // in Ruby
	Now        time.Time        `json:"now"`
	Commands   [][]string       `json:"commands"`
	KeysBefore map[string]Value `json:"keys_before"`
	Returns    json.RawMessage  `json:"returns"`
	Raises     *struct {
		Class   string `json:"class"`
		Message string `json:"message"`
	} `json:"raises"`
}

// Family reads the recordings of a library, in their order.
func Family(t testing.TB, library string) []Recording {
	t.Helper()
	text, err := family.ReadFile("family/" + library + ".jsonl")
	require.NoError(t, err)
	var all []Recording
	for line := range bytes.Lines(text) {
		var r Recording
		require.NoError(t, json.Unmarshal(line, &r), "%s", line)
		all = append(all, r)
	}
	require.NotEmpty(t, all)
	return all
}

// Pushed are the payloads that a recording put on queues, at once or delayed.
func (r Recording) Pushed() (payloads []string) {
	for _, c := range r.Commands {
		if c[0] == "RPUSH" || c[0] == "LPUSH" {
			payloads = append(payloads, c[2])
		}
	}
	return payloads
}

// Popped is the payload that waited on the one queue that there was before.
func (r Recording) Popped(t testing.TB) string {
	t.Helper()
	for _, v := range r.KeysBefore {
		if v.Type == "list" {
			items := v.Value.([]any)
			require.Len(t, items, 1)
			return items[0].(string)
		}
	}
	require.Fail(t, "nothing was on a queue", r.Name)
	return ""
}
