package scheduler

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/cron"
	"github.com/goresque/goresque/internal/rubyjson"
)

// parseConfig reads the configuration of an entry, as resque-scheduler stores it in JSON.
// An entry without times is only enqueued by hand. It may have no queue.
func parseConfig(name string, text []byte) (Entry, error) {
	e := Entry{Name: name, read: true}
	if err := rubyjson.Valid(text); err != nil {
		return e, fmt.Errorf("its configuration is not JSON: %w", err)
	}
	config, ok := objectOf(text)
	if !ok {
		return e, errors.New("its configuration is not an object")
	}
	var custom string
	for _, option := range []struct {
		name string
		to   *string
	}{
		{"class", &e.Job.Class},
		{"queue", &e.Job.Queue},
		{"description", &e.Description},
		{"env", &e.Env},
		{"rails_env", &e.Env},
		{"custom_job_class", &custom},
	} {
		if err := readText(config[option.name], option.to); err != nil {
			return e, fmt.Errorf("%s: %w", option.name, err)
		}
	}
	e.queueClass = strings.TrimPrefix(cmp.Or(e.Job.Class, name), "::")
	if custom != "" && custom != "Resque::Job" { // Ruby: enqueue_from_config, if it does not know the class
		e.Job.Class = custom
	}
	e.Job.Class = strings.TrimPrefix(cmp.Or(e.Job.Class, name), "::") // Ruby: SchedulingExtensions#prepare_schedule
	e.Job.Args, e.Parameters = readArgs(config["args"]), readParameters(config["parameters"])
	return e, e.readTimes(config)
}

// objectOf returns the members of an object. Of several with one name the last counts.
func objectOf(text []byte) (map[string]json.RawMessage, bool) {
	members, ok := rubyjson.Members(text)
	object := make(map[string]json.RawMessage, len(members))
	for _, m := range members {
		object[m.Name] = m.Value(text)
	}
	return object, ok
}

// readText reads a string. null and a missing value leave to as it is.
func readText(value json.RawMessage, to *string) error {
	if value == nil || string(value) == "null" {
		return nil
	}
	text, ok := rubyjson.Text(value)
	if !ok {
		return fmt.Errorf("%.50s is not a string", value)
	}
	*to = text
	return nil
}

// readArgs returns the arguments as they are spelled.
//
// Ruby: Resque::Scheduler.enqueue_from_config.
func readArgs(value json.RawMessage) (args []any) {
	switch {
	case value == nil, string(value) == "null", string(value) == "false":
		return nil
	case value[0] != '[':
		return []any{value}
	}
	items, _ := rubyjson.Items(value)
	for _, item := range items {
		args = append(args, item.Value(value))
	}
	return args
}

// readTimes reads cron, which wins, or every.
func (e *Entry) readTimes(config map[string]json.RawMessage) error {
	line, options, err := readTime(config["cron"])
	if err == nil && line != "" {
		e.Cron = line
		if _, err = cron.Parse(line); err == nil {
			err = e.readOptions(options)
		}
	}
	if err != nil || line != "" {
		return inOption("cron", err)
	}
	every, options, err := readTime(config["every"])
	if err == nil && every != "" {
		if e.Every, err = cron.ParseEvery(every); err == nil {
			err = e.readOptions(options)
		}
	}
	return inOption("every", err)
}

func inOption(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// readTime reads a text, or an array of a text and options.
func readTime(value json.RawMessage) (text string, options json.RawMessage, err error) {
	if len(value) > 0 && value[0] == '[' {
		items, _ := rubyjson.Items(value)
		if len(items) == 2 {
			options = items[1].Value(value)
		}
		if len(items) == 0 {
			return "", nil, nil
		}
		value = items[0].Value(value)
	}
	if len(value) > 0 && value[0] >= '0' && value[0] <= '9' {
		return "", nil, fmt.Errorf("%s is a number, which ends Ruby's scheduler; write a string such as %q", value, string(value)+"s")
	}
	return text, options, readText(value, &text)
}

// readOptions reads the options of rufus-scheduler that an entry may have. Those that
// change nothing for a scheduler, which only enqueues, are ignored.
func (e *Entry) readOptions(text json.RawMessage) error {
	if text == nil || string(text) == "null" {
		return nil
	}
	options, ok := objectOf(text)
	if !ok {
		return errors.New("its options are not an object")
	}
	for name, value := range options {
		switch name {
		case "first_in", "first":
			var err error
			if e.FirstIn, err = readFirstIn(value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		case "overlap", "tags", "tag", "blocking", "timeout", "discard_past", "name", "job":
		default:
			return fmt.Errorf("the option %s is not supported", name)
		}
	}
	return nil
}

// readFirstIn reads a duration, or a number of seconds.
func readFirstIn(value json.RawMessage) (time.Duration, error) {
	text := string(value)
	if value[0] == '"' {
		text, _ = rubyjson.Text(value)
	}
	d, err := cron.ParseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is negative, which ends Ruby's scheduler", value)
	}
	return d, err
}

// config returns the configuration of an entry in JSON, as Ruby spells it.
func (e Entry) config() ([]byte, error) {
	args, err := e.args()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	add := func(name string, value any) {
		if err != nil {
			return
		}
		separator := ","
		if b.Len() == 0 {
			separator = "{"
		}
		fmt.Fprintf(&b, "%s%q:", separator, name)
		text, failed := rubyjson.Append(nil, value)
		err = failed
		b.Write(text)
	}
	addText := func(name, value string) {
		if value != "" {
			add(name, value)
		}
	}
	add("class", e.Job.Class)
	switch {
	case e.FirstIn != 0 && e.Cron != "":
		add("cron", []any{e.Cron, map[string]string{"first_in": formatDuration(e.FirstIn)}})
	case e.FirstIn != 0:
		add("every", []any{formatDuration(e.Every), map[string]string{"first_in": formatDuration(e.FirstIn)}})
	case e.Cron != "":
		addText("cron", e.Cron)
	case e.Every != 0:
		add("every", formatDuration(e.Every))
	}
	addText("queue", e.Job.Queue)
	add("args", args)
	addText("description", e.Description)
	addText("rails_env", e.Env)
	if len(e.Parameters) > 0 {
		text, failed := e.parameters()
		err = errors.Join(err, failed)
		add("parameters", text)
	}
	if err != nil {
		return nil, fmt.Errorf("scheduler: schedule %q: %w", e.Name, err)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// args returns the arguments of the job as they are spelled in its payload.
func (e Entry) args() (json.RawMessage, error) {
	payload, err := e.Job.Encode()
	if err != nil {
		return nil, err
	}
	members, _ := rubyjson.Members(payload)
	args := json.RawMessage("[]")
	for _, m := range members {
		switch name := m.Name; name {
		case "class":
		case "args":
			args = m.Value(payload)
		default:
			return nil, fmt.Errorf("scheduler: schedule %q: its job has a member %q, which a schedule cannot store", e.Name, name)
		}
	}
	return args, nil
}
