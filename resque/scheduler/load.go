package scheduler

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Load reads entries from a file in resque-scheduler's YAML, for [Config.Entries]:
//
//	nightly:
//	  cron: "0 3 * * * Europe/Stockholm"
//	  class: Report
//	  queue: reports
//	  args: [1, {"days": 7}]
//	  description: "The report of the night"
//	pulse:
//	  every: ["30s", {first_in: "5s"}]
//	  class: Pulse
//
// If an entry has no queue, its job goes to the queue of its class in [Config.Mux]. An
// entry without cron and every has no times: its job is only enqueued by [RunNow].
// docs/schedules.md lists the options. The error lists all mistakes, with file and line.
// Ruby code (ERB, <%) is a mistake.
//
// Ruby: Resque.schedule = YAML.load_file.
func Load(file string) ([]Entry, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("scheduler: reading schedules: %w", err)
	}
	f := &scheduleFile{name: file}
	entries := f.read(text)
	return entries, errors.Join(f.mistakes...)
}

// FileError is a mistake in a file. The error of [Load] has one for each mistake; use
// [errors.As] on each of the errors that its Unwrap returns.
type FileError struct {
	File string
	Line int // 0 if it is not known
	Err  error
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns e.Err.
func (e *FileError) Unwrap() error { return e.Err }

// scheduleFile collects the mistakes in a file.
type scheduleFile struct {
	name     string
	mistakes []error
}

func (f *scheduleFile) mistake(line int, err error) {
	f.mistakes = append(f.mistakes, &FileError{f.name, line, err})
}

func (f *scheduleFile) read(text []byte) (entries []Entry) {
	if f.findERB(text) {
		return nil
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		f.mistake(0, err) // has the line
		return nil
	}
	if len(document.Content) == 0 {
		return nil // empty
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		f.mistake(root.Line, errors.New("write one mapping, from the names of schedules to their options"))
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name := strings.TrimPrefix(root.Content[i].Value, ":")
		if seen[name] {
			f.mistake(root.Content[i].Line, fmt.Errorf("schedule %q is defined twice", name))
			continue
		}
		seen[name] = true
		if e, ok := f.entry(name, root.Content[i], root.Content[i+1]); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// findERB finds Ruby code outside of comments.
func (f *scheduleFile) findERB(text []byte) (found bool) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if bytes.Contains(line, []byte("<%")) && !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			f.mistake(number, errors.New("<% begins Ruby code (ERB), which goresque does not run; write its result"))
			found = true
		}
	}
	return found
}

// entry reads one entry.
func (f *scheduleFile) entry(name string, key, value *yaml.Node) (Entry, bool) {
	value = follow(value)
	if value.Kind != yaml.MappingNode {
		f.mistake(value.Line, fmt.Errorf("schedule %q: its value is not a mapping of options", name))
		return Entry{}, false
	}
	config, err := (&yamlWriter{}).append(nil, value)
	var at *yamlError
	if errors.As(err, &at) {
		f.mistake(at.line, fmt.Errorf("schedule %q: %w", name, at.err))
		return Entry{}, false
	}
	e, err := parseConfig(name, config)
	if err == nil {
		if err = e.check(); err == nil {
			return e, true
		}
		f.mistake(key.Line, err)
		return Entry{}, false
	}
	line := key.Line
	option, _, _ := strings.Cut(err.Error(), ":")
	for i := 0; i+1 < len(value.Content); i += 2 {
		if value.Content[i].Value == option {
			line = value.Content[i].Line
		}
	}
	f.mistake(line, fmt.Errorf("schedule %q: %w", name, err))
	return Entry{}, false
}

func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
