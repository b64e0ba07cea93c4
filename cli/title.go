package cli

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goresque/goresque/resque/scheduler"
	"github.com/goresque/goresque/worker"
)

// title is the title of a work process that ps shows. It is nil if the process is not
// the command's own; then the title stays unchanged.
//
// Ruby: Resque::Worker#procline.
type title struct {
	argv   *argv
	prefix string // of each title, with the name of the program
	log    *slog.Logger
}

// beginTitle makes room for a title, which starts the process again. Call it when it
// is certain that the process will work, and before it does anything else. The title
// begins with the name of the program, its version and suffix.
func (e *Env) beginTitle(name, suffix string) *title {
	if e.argv == nil {
		return nil
	}
	t := &title{argv: e.argv, prefix: e.Getenv("RESQUE_PROCLINE_PREFIX") + name + "-" + Version + suffix + ": ", log: e.Logger()}
	t.argv.grow(t.line("Starting"))
	t.set("Starting")
	return t
}

// set makes text the title.
func (t *title) set(text string) {
	line := t.line(text)
	t.argv.write(line)
	t.log.Debug("title", "text", line)
}

// line returns a whole title. Unlike Ruby's, the first title also has the prefix.
func (t *title) line(text string) string {
	return printable(t.prefix + text)
}

// follow shows the worker's state, which cfg.OnState also gets.
func (t *title) follow(cfg *worker.Config) {
	if t == nil {
		return
	}
	next := cfg.OnState
	cfg.OnState = func(s worker.State) {
		t.set(doing(s))
		if next != nil {
			next(s)
		}
	}
}

// followScheduler shows the scheduler's state, which cfg.OnState also gets.
//
// Ruby: Resque::Scheduler.run.
func (t *title) followScheduler(cfg *scheduler.Config) {
	if t == nil {
		return
	}
	next := cfg.OnState
	cfg.OnState = func(s scheduler.State) {
		switch {
		case s.Master:
			t.set("Master scheduler")
		case s.Holder != "":
			t.set("Child scheduler")
		}
		if next != nil {
			next(s)
		}
	}
}

// doing describes a worker's state in Ruby's words. For several running jobs it names
// the one that has been running longest, and the number of the others.
//
// Ruby: Resque::Worker#work, #work_one_job and #perform_with_fork.
func doing(s worker.State) string {
	switch {
	case len(s.Working) > 0:
		return processing(s.Working)
	case s.Paused:
		return "Paused"
	default:
		return "Waiting for " + strings.Join(s.Queues, ",")
	}
}

func processing(jobs []worker.Working) string {
	const most = 3 // queues named
	first := slices.MinFunc(jobs, func(a, b worker.Working) int { return a.Since.Compare(b.Since) })
	more := ""
	if others := len(jobs) - 1; others > 0 {
		more = fmt.Sprintf(" +%d", others)
	}
	if first.Child != 0 {
		return fmt.Sprintf("Forked %d%s at %d", first.Child, more, first.Since.Unix())
	}
	queues := []string{first.Queue}
	for _, job := range jobs {
		if !slices.Contains(queues, job.Queue) {
			queues = append(queues, job.Queue)
		}
	}
	slices.Sort(queues[1:])
	if len(queues) > most {
		queues = append(queues[:most], "...")
	}
	return fmt.Sprintf("Processing %s since %d [%s%s]", strings.Join(queues, ","), first.Since.Unix(), first.Class, more)
}

// printable replaces characters that would disturb a terminal or end a title.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// cut shortens text to at most length bytes, between two characters.
func cut(text string, length int) string {
	if len(text) <= length {
		return text
	}
	for length > 0 && !utf8.RuneStart(text[length]) {
		length--
	}
	return text[:length]
}
