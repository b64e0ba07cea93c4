package store_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/store"
	"github.com/goresque/goresque/internal/wire"
)

// nested returns an object that is n levels deep.
func nested(n int) string {
	return `{"class":"A","args":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
}

func args(text string) string { return `{"class":"A","args":[` + text + `]}` }

// readable returns payloads that a record holds unchanged.
func readable() map[string]string {
	return map[string]string{
		"plain": args(`1,"a"`), "no arguments": args(""), "empty objects": args("{},[]"), "empty object": "{}",
		"unknown keys": `{"queue":"x","class":"A","args":[],"retry_attempt":1,"":{}}`, "a key twice": `{"class":"A","class":"B"}`,
		"indented": "{\n\t\"class\": \"A\",\r\n  \"args\": [ 1 ]\n}\n", "leading space": " \t\r\n{\"class\":\"A\"}",
		"numbers":  args("12345678901234567890123,-0,0.10,1.50,1E3,1e-7,-1.5e+10,1.0"),
		"dots":     args(`"a.b","...","-.5","1.","x.\"y.\\",0.5`),
		"brackets": args(`"` + strings.Repeat("[{", 200) + `"`), "brackets after a quote": args(`"\"` + strings.Repeat("[{", 200) + `"`),
		"unicode": args("\"é日本😀\u2028\uffff\U0010ffff\u0080\ud7ff\ue000\""), "delete": args("\"\x7f\""), "delete in an indented one": args("\n\"\x7f\""),
		"escapes": args(`"\u00e9\u0000\ud83d\ude00\/\b\f\n\r\t\"\\"`), "backslash at the end": args("\n" + `"\\"`),
		"99 levels": nested(99), "literals": args("null,true,false"),
	}
}

// unreadable returns payloads that a Ruby worker could not read, by themselves or in a
// record.
func unreadable() map[string]string {
	list := map[string]string{
		"nothing": "", "space": " \n", "text": "hello <b>&", "array": "[1]", "string": `"x"`, "number": "1", "null": "null",
		"two objects": "{}{}", "two, a newline between": "{}\n{}", "comma": args("1,"), "cut off": `{"class":"A","args":[`, "quote": `{"a":"`,
		"comment": `{/**/"class":"A"}`, "byte order mark": "\xef\xbb\xbf{}", "single quotes": `{'class':'A'}`, "literal": args("nul"),
		"word": args("truelove"), "escape": args(`"\x"`), "half an escape": args(`"\u12"`),
		"vertical tab": "{\v\"class\":\"A\"}", "form feed in front": "\f{}",
		"raw newline": args("\"a\nb\""), "raw tab": args("\"\t\""), "raw newline in a key": "{\"a\nb\":1}", "raw newline after an escaped quote": args("\"\\\"\n\""),
		"raw newline behind a backslash": args("\"\\\n\""), "raw newline in the second string": args("\n\"a\",\"\x1f\""),
		"zero byte": "\x00", "zero byte in a string": args("\"a\x00b\""), "zero byte behind": args("") + "\x00", "text behind a zero byte": args("") + "\x00more",
		"zero byte in an object": "{\x00}", "zero byte second": "{\x00\"class\":\"A\"}",
		"101 levels": nested(101), "100 levels, which the record makes 101": nested(100), "5,000 levels": nested(5000),
		"bad byte": args("\"\xff\""), "bad byte outside": "{\xff}", "bytes": "\x00\x01\xfe\xff", "one bad byte": "\xff", "two bad bytes": "\xff\xfe",
		"overlong": args("\"\xc0\xaf\""), "surrogate": args("\"\xed\xa0\x80\""), "too large": args("\"\xf4\x90\x80\x80\""),
		"cut-off sequence": args("\"\xe2\x82\""), "neighbours that would join": args("\"\xe2é\x82\""), "lone continuation": args("\"\x80\""),
	}
	for _, n := range []string{
		"NaN", "-NaN", "Infinity", "-Infinity", "inf", "nan", "0x10", "-0x10", "01", "-01", "00", "+1", "1.", "1.e5", "-.5", ".5", "-", "--1",
		"- 1", "-+1", "1e", "1e+", "1_000", "1x", "1.0f", "1p3", "1.2.3", "0.", "-0.",
	} {
		list["number "+n] = args(n)
		list["number in an object "+n] = `{"class":"A","x":` + n + `}`
	}
	return list
}

// Whatever bytes were in the queue, the record is JSON that Ruby can read. The reserve
// and a later adoption both return the original bytes.
func TestRecordsAreReadable(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		check := func(name, payload string, asIs bool) {
			f.push(t, "q", payload)
			r := f.take(t, "w", "q")
			assert.Equal(t, payload, string(r.Payload), name)

			text := f.get(t, recordKey("w"))
			require.NoError(t, rubyjson.Valid([]byte(text)), "%s: %q", name, text)
			require.True(t, json.Valid([]byte(text)), "%s: %q", name, text)
			if asIs {
				assert.Equal(t, string(r.Guard)+`"payload":`+payload+"}", text, name)
			} else {
				assert.Contains(t, text, string(r.Guard)+`"payload":{"class":"<unreadable>","args":[`, name)
			}
			x := f.exchange(t, []string{"q"}, nil, f.slot("w"))
			r.Adopted = true
			require.Equal(t, []store.Reserved{r}, x.Reserved, name)

			record, err := f.Record(t.Context(), "w")
			require.NoError(t, err)
			assert.Equal(t, payload, string(record.Raw), name)
			assert.Equal(t, payload, string(wire.RestorePayload(record.Payload)), name)

			f.exchange(t, nil, []store.Outcome{f.requeue(r)})
			assert.Equal(t, []string{payload}, f.list(t, "resque:queue:q"), name)
			f.do(t, "DEL", "resque:queue:q")
		}
		for name, payload := range readable() {
			check(name, payload, true)
		}
		for name, payload := range unreadable() {
			check(name, payload, false)
		}
	})
}

// cjson and Ruby accept lone surrogates and 1e400. Go's decoder replaces or refuses
// them, so these payloads must not be decoded and encoded again.
func TestRecordsKeepLoneSurrogatesAndHugeNumbers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		for _, text := range []string{`"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `1e400`} {
			f.push(t, "q", args(text))
			r := f.take(t, "w", "q")
			assert.Equal(t, args(text), string(r.Payload))
			r.Adopted = true
			assert.Equal(t, []store.Reserved{r}, f.exchange(t, nil, nil, f.slot("w")).Reserved)
			f.exchange(t, nil, []store.Outcome{f.done(r)})
		}
	})
}

// The script has its own base64 encoder, so the test covers all bytes and many lengths.
func TestRecordsHoldAnyBytesAsBase64(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		every := make([]byte, 512)
		for i := range every {
			every[i] = byte(255 - i)
		}
		for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 255, 256, 257, 511, 512, 5999, 6000, 6001, 12001} {
			payload := bytes.Repeat(every, n/len(every)+1)[:n]
			require.NoError(t, f.Push(t.Context(), "q", payload))
			r := f.take(t, "w", "q")
			assert.Equal(t, string(r.Guard)+`"payload":`+string(wire.UnreadablePayload(payload))+"}", f.get(t, recordKey("w")), n)
			x := f.exchange(t, nil, nil, f.slot("w"))
			assert.Equal(t, payload, x.Reserved[0].Payload, n)
			f.exchange(t, nil, []store.Outcome{f.done(r)})
		}
	})
}

func TestLargePayloadsAreReservedAndFinished(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		size := 5 << 20
		if !f.server.Real {
			size = 1 << 19 // its Lua is slow, and slower with the race detector
		}
		for _, c := range []struct {
			name, start, filling, end string
			asIs                      bool
		}{
			{"plain", `{"class":"A","args":["`, "x", `"]}`, true},
			{"indented", "{\n\"class\":\"A\",\"args\":[\"", "x", `"]}`, true},
			{"spaces", "\n", " ", `{"class":"A"}`, true},
			{"newline", "{\"class\":\"A\",\"args\":[\"\n", "x", `"]}`, false},
		} {
			payload := c.start + strings.Repeat(c.filling, size) + c.end
			f.push(t, "q", payload)
			r := f.take(t, "w", "q")
			require.True(t, payload == string(r.Payload), c.name) // not Equal, which would print 5 MB
			text := f.get(t, recordKey("w"))
			assert.Equal(t, c.asIs, !strings.Contains(text[:200], wire.Unreadable), c.name)
			x := f.exchange(t, nil, []store.Outcome{f.failed(r, text)}, f.slot("w"))
			require.True(t, x.Finished[0].Ours, c.name)
		}
		if f.server.Real {
			f.push(t, "q", strings.Repeat("\xff", 1<<20))
			assert.Len(t, f.take(t, "w", "q").Payload, 1<<20)
		}
	})
}

// Ruby's "retry" of an unreadable failure pushes the payload of its record. The reserve
// and a later adoption both return the bytes that this payload holds.
func TestUnreadablePayloadsAreRestored(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		f.register(t, "w")
		for payload, want := range map[string]string{
			`{"class":"<unreadable>","args":["[1]"]}`:                         "[1]",
			`{"class":"\u003cunreadable\u003e","args":[{"base64":"\/w=="}]}`:  "\xff",
			`{"args":[""],"class":"<unreadable>"}`:                            "",
			`{"class":"<unreadable>","args":[{"base64":""}]}`:                 "",
			`{"class":"<unreadable>","args":[null]}`:                          `{"class":"<unreadable>","args":[null]}`,
			`{"class":"<unreadable>","args":[1]}`:                             `{"class":"<unreadable>","args":[1]}`,
			`{"class":"<unreadable>","args":[{"base64":"%"}]}`:                `{"class":"<unreadable>","args":[{"base64":"%"}]}`,
			`{"class":"<unreadable>","args":["a","b"]}`:                       `{"class":"<unreadable>","args":["a","b"]}`,
			`{"class":"A","args":["<unreadable>"]}`:                           `{"class":"A","args":["<unreadable>"]}`,
			string(wire.UnreadablePayload(wire.UnreadablePayload([]byte{0}))): string(wire.UnreadablePayload([]byte{0})),
		} {
			f.push(t, "q", payload)
			r := f.take(t, "w", "q")
			assert.Equal(t, want, string(r.Payload), payload)
			r.Adopted = true
			assert.Equal(t, []store.Reserved{r}, f.exchange(t, nil, nil, f.slot("w")).Reserved, payload)
			f.exchange(t, nil, []store.Outcome{f.done(r)})
		}
	})
}

// The Lua of the embedded server is so slow that checking this payload would take longer
// than the read timeout.
func TestLargeTextOtherThanASCIIIsReserved(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		st := store.New(s.Open(t))
		_, err := st.Register(t.Context(), []string{"w"}, time.Now(), store.Intervals{}, true)
		require.NoError(t, err)
		payload := `{"class":"A","args":["` + strings.Repeat("é", 1<<18) + `"]}`
		require.NoError(t, st.Push(t.Context(), "q", []byte(payload)))
		for range 2 { // reserved, then adopted
			x, err := st.Exchange(t.Context(), []string{"q"}, nil, []store.Slot{{Worker: "w", RunAt: "2026-01-01T00:00:00.000000001Z"}})
			require.NoError(t, err)
			require.Len(t, x.Reserved, 1)
			require.True(t, payload == string(x.Reserved[0].Payload), "the payload is the bytes of the queue")
		}
	})
}
