package wire_test

import (
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
)

func TestParseDelayed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		item, class, queue, job string
		args                    int
	}{
		{`{"class":"A","args":[1,2],"queue":"q"}`, "A", "q", `{"class":"A","args":[1,2]}`, 2},
		{`{"class":"A","args":[{"queue":"x"}],"queue":"q","more":1}`, "A", "q", `{"class":"A","args":[{"queue":"x"}],"more":1}`, 1},
		{`{"queue":"q","class":"A"}`, "A", "q", `{"class":"A"}`, 0},
		{` { "queue" : "q" , "class" : "A" } `, "A", "q", ` { "class" : "A" } `, 0},
		{`{"class":"A", "\u0071ueue":"q,\"" }`, "A", `q,"`, `{"class":"A" }`, 0},
		{`{"class":"A","queue":1}`, "A", "", `{"class":"A"}`, 0},
		{`{"class":"A","queue":"p","queue":"q"}`, "A", "q", `{"class":"A","queue":"p"}`, 0},
		{`{"class":"A"}`, "A", "", `{"class":"A"}`, 0},
	} {
		d, err := wire.ParseDelayed([]byte(test.item))
		require.NoError(t, err, test.item)
		assert.Equal(t, test.class, d.Class, test.item)
		assert.Equal(t, test.queue, d.Queue, test.item)
		assert.Len(t, d.Args, test.args, test.item)
		assert.Equal(t, test.job, string(d.Job([]byte(test.item))))
	}
	d, err := wire.ParseDelayed([]byte(`{"queue":"q"}`))
	require.ErrorIs(t, err, rubyjson.ErrNoClass)
	assert.Equal(t, "q", d.Queue)
	assert.Equal(t, "{}", string(d.Job([]byte(`{"queue":"q"}`))))
	for _, bad := range []string{"", "x", "[]", `"queue"`, `{"class":"A","queue":"q"`} {
		d, err := wire.ParseDelayed([]byte(bad))
		require.Error(t, err, bad)
		assert.Equal(t, bad, string(d.Job([]byte(bad))))
	}
}

// Ruby's payload of a job that is due at once is that of the delayed one, cut.
func TestDelayedJobOfRubysRecordings(t *testing.T) {
	t.Parallel()
	n := 0
	for _, r := range golden.Family(t, "scheduler-delayed") {
		for _, pushed := range r.Pushed() {
			d, err := wire.ParseDelayed([]byte(pushed))
			if err != nil || d.Queue == "" {
				continue
			}
			n++
			job := d.Job([]byte(pushed))
			assert.Equal(t, pushed, string(job[:len(job)-1])+`,"queue":`+strconv.Quote(d.Queue)+"}", r.Name)
		}
	}
	assert.Greater(t, n, 20)
}

func FuzzParseDelayed(f *testing.F) {
	f.Add(`{"queue" : "q" ,"class":"A","args":[1]}`)
	f.Add(`{"class":"A","queue":"q","queue":2}`)
	f.Fuzz(func(t *testing.T, item string) {
		d, err := wire.ParseDelayed([]byte(item))
		job := d.Job([]byte(item))
		if d.CutTo == 0 || err != nil {
			return
		}
		was, ok := rubyjson.Members([]byte(item))
		require.True(t, ok)
		left, ok := rubyjson.Members(job)
		require.True(t, ok, "%q from %q", job, item)
		require.Len(t, left, len(was)-1)
	})
}

func FuzzAppendDelayed(f *testing.F) {
	for _, payload := range []string{`{"class":"J","args":[1]}`, ` { "args" : [] , "x":1 } `, `{}`, `{"queue":"a","queue":"b","class":"J"}`, `{"class":"J","args":[],"queue":1}`} {
		f.Add([]byte(payload), "exports")
	}
	f.Fuzz(func(t *testing.T, payload []byte, queue string) {
		if _, ok := rubyjson.Members(payload); !ok || !utf8.ValidString(queue) {
			return // not a payload, or not a queue
		}
		item := wire.AppendDelayed(nil, payload, queue)
		d, _ := wire.ParseDelayed(item)
		require.Equal(t, queue, d.Queue)
		require.Equal(t, string(payload), string(d.Job(item)))
	})
}
