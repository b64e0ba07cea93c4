package top

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/resque"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"a", "a"},
		{"a\n\tb", "a b"},
		{"0123456789", "0123456789"},
		{"0123456789a", "012345678…"},
		{"日本語日本", "日本語日本"},
		{"日本語日本語", "日本語日…"},
		{"\x1b[2J", `\u001b[2J`},
		{"\u202eabc", `\u202eabc`},
		{"e\u0301e", "e\u0301e"},
		{"e\u0301\u0301\u0301", "e\u0301\u0301" + `\u0301`},
		{"\xff", "\ufffd"},
		{"\U0001f1e9", `\ud83c\ud…`},
		{strings.Repeat(" ", 1000) + "a", "…"},
	} {
		assert.Equal(t, test.want, texts{}.line(test.text, 10), "%q", test.text)
	}
	assert.Equal(t, `\u00e9...`, texts{ascii: true}.line("ééé", 9))
	assert.Equal(t, "a   ", texts{}.pad("a", 4, false))
	assert.Equal(t, "   語", texts{}.pad("語", 5, true))
	assert.Empty(t, texts{ascii: true}.cut("abc", 2))
	assert.Equal(t, []string{"日本", "語"}, wrap("日本語", 5))
	assert.Equal(t, []string{""}, wrap("", 5))
}

func TestSmallTexts(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", time.Minute: "1m", 59 * time.Minute: "59m", time.Hour: "1h", 47 * time.Hour: "47h", 49 * time.Hour: "2d",
	} {
		assert.Equal(t, want, ago(d))
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234: "-1,234", -123: "-123", 1234567: "1,234,567"} {
		assert.Equal(t, want, grouped(n))
	}
	args := func(all ...string) (list []json.RawMessage) {
		for _, arg := range all {
			list = append(list, json.RawMessage(arg))
		}
		return list
	}
	assert.Equal(t, `[1,"a"]`, argsText(args("1", `"a"`), 100))
	assert.Equal(t, `[`+strings.Repeat("x", 9)+`…`, argsText(args(strings.Repeat("x", 2<<20)), 10))
	assert.Equal(t, "[]", argsText(nil, 10))
}

func TestRates(t *testing.T) {
	t.Parallel()
	var r rates
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	add := func(after time.Duration, processed, failed int64) {
		at = at.Add(after)
		r = r.add(resque.Snapshot{Now: at, Processed: processed, Failed: failed})
	}
	add(0, 100, 0)
	_, _, ok := r.now()
	assert.False(t, ok)
	add(2*time.Second, 120, 1)
	before := r
	performed, failed, ok := r.now()
	assert.True(t, ok)
	assert.InDelta(t, 10, performed, 0.001)
	assert.InDelta(t, 0.5, failed, 0.001)
	add(0, 500, 1)
	assert.Len(t, r.samples, 2, "no time has passed")
	add(8*time.Second, 120, 1)
	performed, _, _ = r.now()
	assert.InDelta(t, 2, performed, 0.001, "of the last ten seconds")
	assert.Equal(t, "█▁", spark(r.series(10, processedOf), texts{}))
	assert.Equal(t, "@_", spark(r.series(10, processedOf), texts{ascii: true}))
	add(2*time.Second, 5, 0)
	assert.Len(t, r.samples, 1, "the counters were cleared")
	for range 2 * samplesAtMost {
		add(time.Second, 5, 0)
	}
	assert.Len(t, r.samples, samplesAtMost)
	assert.Len(t, before.samples, 2, "a value")
	assert.Empty(t, spark(nil, texts{}))
	assert.Equal(t, "0", rateText(0))
	assert.Equal(t, "1.5", rateText(1.5))
	assert.Equal(t, "1,235", rateText(1234.6))
}
