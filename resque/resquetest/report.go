package resquetest

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goresque/goresque/resque"
)

// during returns a context for calls to Redis. It works also in cleanups, when the
// context of the test has ended.
func during(t TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
}

func fatal(t TB, format string, args ...any) {
	t.Helper()
	t.Errorf("resquetest: "+format, args...)
	t.FailNow()
}

// A message shows at most listed lines, and at most shown bytes of a job.
const (
	listed = 20
	shown  = 200
)

// lines collects the lines of a message. Equal lines are shown once, and lines that are
// near the wanted job come first.
type lines struct {
	near, other []string
	times       map[string]int
}

func (l *lines) add(near bool, line string) {
	if l.times == nil {
		l.times = map[string]int{}
	}
	if l.times[line]++; l.times[line] > 1 {
		return
	}
	if near {
		l.near = append(l.near, line)
	} else {
		l.other = append(l.other, line)
	}
}

func (l *lines) text() string {
	var b strings.Builder
	all := append(l.near[:len(l.near):len(l.near)], l.other...)
	for i, line := range all {
		if i == listed {
			fmt.Fprintf(&b, "\n    … and %d more", len(all)-listed)
			break
		}
		b.WriteString("\n    " + line)
		if n := l.times[line]; n > 1 {
			fmt.Fprintf(&b, " (%d times)", n)
		}
	}
	return b.String()
}

// jobText returns a job as messages show it, such as Exporter [42].
func jobText(job *resque.Payload) string {
	if job.Class == "" {
		return "unreadable: " + cut(string(job.Raw))
	}
	var args []string
	for _, arg := range job.Args {
		args = append(args, string(arg))
	}
	return cut(job.Class + " [" + strings.Join(args, ", ") + "]")
}

func cut(text string) string {
	if len(text) <= shown {
		return text
	}
	end := shown
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
