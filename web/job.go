package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/activejob"
)

// shownJob is a job as pages show it.
type shownJob struct {
	Class string // for a Rails job, its own class, not the wrapper's
	Via   string // "ActiveJob" for a Rails job
	ID    string // for a Rails job, its id
	Args  []json.RawMessage
	Since string // for a Rails job, enqueued_at as it is written
	Bad   bool   // the payload cannot be read
	Raw   string
	Size  int64  `json:",omitempty"` // bytes of a job that is too large to be shown whole; Raw is its beginning
	Text  string `json:",omitempty"` // the arguments formatted by FormatArgs
	Links []Link `json:",omitempty"`
}

// showJob reads a payload of any kind, without what the configuration hides.
func (h *Dashboard) showJob(payload []byte) shownJob {
	job := readJob(payload)
	h.hide(&job)
	h.extend(&job)
	return job
}

// showBeginning reads a job that is too large to be shown whole.
func (h *Dashboard) showBeginning(payload []byte, size int64) shownJob {
	job := shownJob{Raw: string(payload), Size: size}
	spans := rubyjson.SpansOfBeginning(payload, "class", "args")
	job.Class, _ = rubyjson.Text(spans[0].Of(payload))
	if job.Class == activejob.JobWrapper {
		envelope := bytes.TrimLeft(spans[1].Of(payload), "[ ")
		class := rubyjson.SpansOfBeginning(envelope, "job_class")[0].Of(envelope)
		if inside, ok := rubyjson.Text(class); ok && inside != "" {
			job.Class, job.Via = inside, "ActiveJob"
		}
	}
	job.Bad = job.Class == ""
	if h.hides() {
		job.Raw = ""
	}
	return job
}

// pageBytes is how many bytes of jobs and failures a page shows whole. Of the others it
// shows the beginning.
const pageBytes = 2 << 20

// beginning is how much of a large text is shown.
const beginning = 4 << 10

func readJob(payload []byte) shownJob {
	job := shownJob{Raw: string(payload)}
	spans, err := rubyjson.Spans(payload, "class", "args")
	if err != nil {
		job.Bad = true
		return job
	}
	job.Class, _ = rubyjson.Text(spans[0].Of(payload)) // empty if it is not a string
	job.Args, job.Bad = argsOf(spans[1].Of(payload)), job.Class == ""
	if job.Class == activejob.JobWrapper && len(job.Args) == 1 {
		job.unwrap(job.Args[0])
	}
	return job
}

// argsOf returns a payload's arguments. If they are not an array, it returns the
// value as the only argument.
func argsOf(value []byte) []json.RawMessage {
	items, ok := rubyjson.Items(value)
	switch {
	case ok:
		args := make([]json.RawMessage, len(items))
		for i, item := range items {
			args[i] = item.Value(value)
		}
		return args
	case len(value) == 0, string(value) == "null":
		return nil
	}
	return []json.RawMessage{value} // for example an object
}

func (j *shownJob) unwrap(envelope json.RawMessage) {
	var e struct {
		JobClass   string            `json:"job_class"`
		JobID      string            `json:"job_id"`
		EnqueuedAt string            `json:"enqueued_at"`
		Arguments  []json.RawMessage `json:"arguments"`
	}
	if json.Unmarshal(envelope, &e) == nil && e.JobClass != "" {
		j.Class, j.ID, j.Args, j.Since, j.Via = e.JobClass, e.JobID, e.Arguments, e.EnqueuedAt, "ActiveJob"
	}
}

// hide removes what the configuration hides, before a template or JSON uses the job.
func (h *Dashboard) hide(job *shownJob) {
	switch {
	case job.Bad && h.hides():
		job.Args, job.Raw = nil, ""
	case h.cfg.HideArgs:
		job.Args, job.Raw = []json.RawMessage{[]byte(`"…"`)}, ""
	case h.hides():
		for i, arg := range job.Args {
			job.Args[i] = h.redact(arg)
		}
		job.Raw = ""
	}
}

// hideRaw returns the part of a value in Redis that may be shown.
func (h *Dashboard) hideRaw(value string, isList bool) string {
	first := strings.TrimSpace(value)
	if prefix, ok := h.hiddenName(value); ok {
		return prefix + "…"
	}
	switch {
	case !h.hides(), !isList && !strings.HasPrefix(first, "{") && !strings.HasPrefix(first, "["):
		return value
	case h.cfg.HideArgs, !json.Valid([]byte(value)):
		return "(hidden)"
	}
	return string(h.redact(json.RawMessage(first)))
}

// hides reports whether the configuration hides any arguments.
func (h *Dashboard) hides() bool { return h.cfg.HideArgs || len(h.cfg.RedactKeys) > 0 }

// Line returns the arguments on one line, as exact JSON text.
func (j shownJob) Line() string {
	switch {
	case j.Text != "":
		return j.Text
	case j.Size > 0:
		return j.sizeText() + " " + j.Raw
	case resque.IsEncrypted(j.Args):
		return resque.EncryptedArgs
	}
	parts := make([]string, len(j.Args))
	for i, arg := range j.Args {
		parts[i] = string(arg)
	}
	return strings.Join(parts, ", ")
}

// Tree returns the arguments on several lines.
func (j shownJob) Tree() string {
	switch {
	case j.Text != "":
		return j.Text
	case j.Size > 0:
		return j.sizeText() + "\n" + j.Raw
	case resque.IsEncrypted(j.Args):
		return resque.EncryptedArgs
	}
	var out bytes.Buffer
	for _, arg := range j.Args {
		if json.Indent(&out, arg, "", "  ") != nil {
			out.Write(arg)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// sizeText returns a text that only the beginning is shown.
func (j shownJob) sizeText() string {
	return fmt.Sprintf("Too large to show: %s. It begins with", bytesText(j.Size))
}

// bytesText returns a size in the largest fitting unit.
func bytesText(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// redact replaces the values of the hidden keys. Everything else stays as it is
// written: numbers are not rounded, and keys keep their order.
func (h *Dashboard) redact(value json.RawMessage) json.RawMessage {
	if len(h.cfg.RedactKeys) == 0 || len(value) == 0 {
		return value
	}
	switch value[0] {
	case '[':
		var items []json.RawMessage
		if json.Unmarshal(value, &items) != nil {
			return value
		}
		parts := make([][]byte, len(items))
		for i, item := range items {
			parts[i] = h.redact(item)
		}
		return slices.Concat([]byte("["), bytes.Join(parts, []byte(", ")), []byte("]"))
	case '{':
		return h.redactObject(value)
	}
	return value
}

func (h *Dashboard) redactObject(value json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(value))
	if _, err := d.Token(); err != nil {
		return value
	}
	var parts [][]byte
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var member json.RawMessage
		if err != nil || !ok || d.Decode(&member) != nil {
			return []byte(`"[unreadable]"`) // hide all rather than show a hidden value
		}
		if slices.ContainsFunc(h.cfg.RedactKeys, func(k string) bool { return strings.EqualFold(k, name) }) {
			member = []byte(`"[redacted]"`)
		}
		spelled, _ := json.Marshal(name) // cannot fail: a string
		parts = append(parts, slices.Concat(spelled, []byte(": "), h.redact(member)))
	}
	return slices.Concat([]byte("{"), bytes.Join(parts, []byte(", ")), []byte("}"))
}
