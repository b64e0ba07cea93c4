package cli

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goresque/goresque/worker"
)

// title is what ps shows of a process that works, for people. nil is none: a
// process that is not the command's own keeps what it has.
//
// Ruby: Resque::Worker#procline.
type title struct {
	argv   *argv
	prefix string
	log    *slog.Logger
}

// beginTitle makes room for a title, which starts the process again: to be
// called once it is clear that it works, and before it does anything.
func (e *Env) beginTitle() *title {
	if e.argv == nil {
		return nil
	}
	t := &title{argv: e.argv, prefix: e.Getenv("RESQUE_PROCLINE_PREFIX"), log: e.Logger()}
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

// line is a whole title. Unlike Ruby's, the first one has the prefix, too.
func (t *title) line(text string) string {
	return printable(t.prefix + "goresque-" + Version + ": " + text)
}

// follow has worker tell of its state.
func (t *title) follow(cfg *worker.Config) {
	if t != nil {
		cfg.OnState = func(s worker.State) { t.set(doing(s)) }
	}
}

// doing puts a worker's state in Ruby's words. Several jobs in hand are told by
// the one that has been running longest, and how many there are beside it.
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

// printable is text without what would disturb a terminal or end a title.
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
