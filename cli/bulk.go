package cli

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/goresque/goresque/resque"
)

// kind is what entries that commands list and act on are called.
type kind struct {
	command string // such as "failed"
	entries string // such as "failures"
	entry   string // such as "failure(s)"
	skipped string // why an entry is skipped
	restore string // the command that restores removed entries
}

func failures() kind {
	return kind{"failed", "failures", "failure(s)", "damaged or already retried", "failed restore"}
}

func delayedJobs() kind {
	return kind{"delayed", "delayed jobs", "delayed job(s)", "damaged", "delayed restore"}
}

func retryingJobs() kind {
	return kind{"retries", "jobs that wait for another attempt", "job(s) that wait for another attempt", "not waiting for another attempt", "delayed restore"}
}

// parseNamed parses the ids that a command was given. It refuses combinations of ids,
// filters and --all that have no clear meaning.
func parseNamed[ID any](k kind, named []string, all, filtered bool, parse func(string) (ID, error)) ([]ID, error) {
	switch {
	case all && len(named) > 0:
		return nil, UsageErrorf("give either ids of %s or --all, not both", k.entries)
	case !all && len(named) == 0:
		return nil, UsageErrorf("no %s named: give ids as 'goresque %s list' prints them, or --all with or without filters", k.entries, k.command)
	case !all && filtered:
		return nil, UsageErrorf("filters such as --class need --all")
	}
	return parseEach(named, parse)
}

// parseEach parses ids.
func parseEach[ID any](named []string, parse func(string) (ID, error)) ([]ID, error) {
	ids := make([]ID, len(named))
	for i, text := range named {
		id, err := parse(text)
		if err != nil {
			return nil, UsageErrorf("%w", err)
		}
		ids[i] = id
	}
	return ids, nil
}

// checkLimit refuses a negative number of entries to list.
func checkLimit(limit int) error {
	if limit < 0 {
		return UsageErrorf("--limit is %d; it must not be negative (0 lists all)", limit)
	}
	return nil
}

// ordered refuses a filter that nothing can match, because it begins after its end. Zero
// times were not given.
func ordered(first string, from time.Time, last string, to time.Time) error {
	if from.IsZero() || to.IsZero() || from.Before(to) {
		return nil
	}
	return UsageErrorf("nothing can match: --%s (%s) is not before --%s (%s)", first, when(from), last, when(to))
}

// list prints at most limit entries; 0 means all.
func list[Entry any](e *Env, entries iter.Seq2[Entry, error], limit int, asJSON bool, show func(Entry)) error {
	if err := checkLimit(limit); err != nil {
		return err
	}
	n := 0
	for entry, err := range entries {
		if err != nil {
			return err
		}
		if n++; limit > 0 && n > limit {
			fmt.Fprintf(e.Stderr, "Only the first %d are listed: --limit 0 lists all.\n", limit)
			return nil
		}
		show(entry)
	}
	if n == 0 && !asJSON {
		fmt.Fprintln(e.Stdout, "None")
	}
	return nil
}

// progress returns a function that prints the progress on a terminal, at most a few
// times a second.
func (e *Env) progress() func(resque.BulkProgress) {
	if !terminal(e.Stderr) {
		return nil
	}
	var last time.Time
	return func(p resque.BulkProgress) {
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond {
			last = now
			fmt.Fprintf(e.Stderr, "\r%d of %d ", p.Seen, p.Total)
		}
	}
}

// acted prints the result of an action.
func (e *Env) acted(k kind, p resque.BulkProgress, verb string, asJSON bool, err error) error {
	if asJSON {
		undo := p.Trash
		if undo == nil {
			undo = []string{}
		}
		e.printJSON(map[string]any{"done": p.Done, "gone": p.Gone, "refused": p.Refused, "undo": undo})
		return err
	}
	said := fmt.Sprintf("%s %d", verb, p.Done)
	if p.Gone > 0 {
		said += fmt.Sprintf(", %d no longer existed", p.Gone)
	}
	if p.Refused > 0 {
		said += fmt.Sprintf(", %d skipped (%s)", p.Refused, k.skipped)
	}
	if p.Done > 0 || err == nil {
		fmt.Fprintln(e.Stdout, said)
	}
	for _, trash := range p.Trash {
		fmt.Fprintf(e.Stdout, "undo: goresque %s %s\n", k.restore, strings.TrimSpace(trash))
	}
	return err
}
