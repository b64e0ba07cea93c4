package top

import (
	"context"
	"fmt"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// filterBytes is how long a filter may be.
const filterBytes = 100

func typed(filter, text string) string { return cutBytes(filter+text, filterBytes) }

// pressed handles a key.
func (m model) pressed(key tea.KeyPressMsg) (model, tea.Cmd) {
	name := key.String()
	switch {
	case name == "ctrl+c":
		return m, tea.Quit
	case name == "ctrl+z":
		return m, tea.Suspend
	case m.ask != nil:
		return m.answered(name)
	case m.typing:
		return m.typedKey(key), nil
	case m.page != nil:
		return m.turned(name)
	}
	m.note = note{}
	if next, ok := m.moved(name); ok {
		return next, nil
	}
	switch name {
	case "q":
		return m, tea.Quit
	case "?":
		m.page = &page{title: "Keys", lines: m.help()}
	case "/":
		m.typing = m.tab != tabOverview
	case "esc":
		m.filter = ""
	case "s":
		m.order = (m.order + 1) % orders
		m = m.tabulated()
		m.note.text = "queues are sorted by " + m.order.String()
	case "g", "ctrl+l":
		return m.again(tea.ClearScreen)
	case "enter":
		return m.opened()
	case "tab", "right":
		return m.switched((m.tab + 1) % tabs)
	case "shift+tab", "left":
		return m.switched((m.tab + tabs - 1) % tabs)
	case "1", "2", "3", "4", "5", "6":
		return m.switched(tab(name[0] - '1'))
	case "r", "R", "x", "X", "p", "P", "k", "K", "u":
		return m.acting(name)
	}
	return m, nil
}

func (m model) answered(name string) (model, tea.Cmd) {
	then := m.ask.then
	m.ask = nil
	if name == "y" || name == "Y" {
		m.note = note{text: "working..."}
		return m, then
	}
	m.note = note{text: "nothing was changed"}
	return m, nil
}

// typedKey changes the filter while it is typed.
func (m model) typedKey(key tea.KeyPressMsg) model {
	switch key.String() {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "ctrl+u":
		m.filter = ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-size]
	default:
		m.filter = typed(m.filter, key.Text)
	}
	return m.marked()
}

// marked chooses the row that is marked: another one than before if a filter hides that.
func (m model) marked() model {
	if rows := m.rows(); len(rows) > 0 && m.chosen[m.tab].key != "" {
		m.chosen[m.tab] = chosen{key: rows[m.at(rows)].key, at: m.at(rows)}
	}
	return m
}

// turned handles a key while a text is shown.
func (m model) turned(name string) (model, tea.Cmd) {
	p := *m.page
	rows := m.bodyHeight() - 1
	last := max(len(m.wrapped(p))-rows, 0)
	switch name {
	case "q", "esc", "enter", "?", "left":
		m.page = nil
		return m, nil
	case "up":
		p.top--
	case "down":
		p.top++
	case "pgup":
		p.top -= rows
	case "pgdown", "space":
		p.top += rows
	case "home":
		p.top = 0
	case "end":
		p.top = last
	}
	p.top = max(min(p.top, last), 0)
	m.page = &p
	return m, nil
}

// moved moves to another row. ok is false if the key does not do that.
func (m model) moved(name string) (next model, ok bool) {
	rows := m.rows()
	at, part := m.at(rows), max(m.bodyHeight()-2, 1)
	switch name {
	case "up":
		at--
	case "down":
		at++
	case "pgup":
		at -= part
	case "pgdown", "space":
		at += part
	case "home":
		at = 0
	case "end":
		at = len(rows) - 1
	default:
		return m, false
	}
	at = max(min(at, len(rows)-1), 0)
	m.chosen[m.tab] = chosen{at: at}
	if at < len(rows) {
		m.chosen[m.tab].key = rows[at].key
	}
	return m, true
}

func (m model) switched(t tab) (model, tea.Cmd) {
	m.tab, m.filter = t, ""
	return m.loaded()
}

// opened shows the details of the chosen row.
func (m model) opened() (model, tea.Cmd) {
	rows := m.rows()
	if len(rows) == 0 || m.tab == tabOverview {
		return m, nil
	}
	r := rows[m.at(rows)]
	m.chosen[m.tab] = chosen{key: r.key, at: m.at(rows)}
	if q, ok := r.target.(queueState); ok {
		m.page = &page{title: "Queue " + m.line(q.name, cellWidth), lines: []string{"Reading the next jobs..."}, queue: q.name}
		return m, m.run(readTimeout, func(ctx context.Context) tea.Msg {
			jobs, err := m.reader.queue(ctx, q.name)
			return queueMsg{q.name, jobs, err}
		})
	}
	m.page = &page{title: "Details", lines: m.details(r)}
	return m, nil
}

// acting handles a key that changes something.
func (m model) acting(name string) (model, tea.Cmd) {
	if !m.act {
		m.note = note{"read-only: 'goresque top --act' allows keys that change something", true}
		return m, nil
	}
	rows := m.rows()
	switch name {
	case "u":
		return m.undone()
	case "P":
		return m.pausedAll()
	}
	if len(rows) == 0 || m.tab == tabOverview {
		m.note = note{"there is no job or queue to do that with", true}
		return m, nil
	}
	one := rows[m.at(rows)]
	before := m.chosen[m.tab]
	m.chosen[m.tab] = chosen{key: one.key, at: m.at(rows)}
	if all := name == "R" || name == "X" || name == "K"; !all && before.isGone(one) {
		m.note = note{"the chosen row is gone, and nothing was changed; the key now acts on the marked row", true}
		return m, nil
	}
	m.chosen[m.tab].acted = true
	switch name {
	case "r", "R":
		if a, ok := m.reader.retry(m.tab); ok {
			return m.applied(a, name == "R", one, rows)
		}
	case "x", "X":
		if q, ok := one.target.(queueState); ok && name == "x" {
			return m.asked(fmt.Sprintf("Remove the queue %s with its %s? This cannot be undone.", m.line(q.name, 40), count(int(q.size), "job", "jobs")),
				func(ctx context.Context) done { return m.reader.removeQueue(ctx, q.name) })
		}
		if a, ok := m.reader.remove(m.tab); ok {
			return m.applied(a, name == "X", one, rows)
		}
	case "p":
		if q, ok := one.target.(queueState); ok {
			return m, m.change(func(ctx context.Context) done { return m.reader.pauseQueue(ctx, q) })
		}
	case "k", "K":
		return m.stopped(name == "K", one, rows)
	}
	m.note = note{"this tab has no such action: see ?", true}
	return m, nil
}

// applied applies an action to a row, or to all rows after a question.
func (m model) applied(a action, all bool, one row, rows []row) (model, tea.Cmd) {
	if !all {
		return m, m.change(func(ctx context.Context) done { return a.apply(ctx, []row{one}) })
	}
	return m.asked(fmt.Sprintf("%s all %s that this tab shows? %s", a.name, count(len(rows), "job", "jobs"), a.undo),
		func(ctx context.Context) done { return a.apply(ctx, rows) })
}

func (m model) stopped(all bool, one row, rows []row) (model, tea.Cmd) {
	if _, ok := one.target.(runningJob); !ok {
		m.note = note{"only a running job can be stopped", true}
		return m, nil
	}
	if !all {
		rows = []row{one}
	}
	text := "Stop the " + count(len(rows), "running job", "running jobs") + " that this tab shows?"
	if !all {
		text = fmt.Sprintf("Stop the running job %s of %s?", m.cut(one.cells[2], 40), m.cut(one.cells[4], 60))
	}
	jobs := targets[runningJob](rows)
	return m.asked(text+" It fails, unless its handler does something else.", func(ctx context.Context) done { return m.reader.stop(ctx, jobs) })
}

func (m model) pausedAll() (model, tea.Cmd) {
	if !m.known {
		return m, nil
	}
	paused := m.snap.Paused
	text := "Pause all workers, in Go and Ruby?"
	if paused {
		text = "Let all workers take jobs again?"
	}
	return m.asked(text, func(ctx context.Context) done { return m.reader.pauseAll(ctx, paused) })
}

func (m model) undone() (model, tea.Cmd) {
	if len(m.trash) == 0 {
		m.note = note{"there is nothing to restore", true}
		return m, nil
	}
	trash := m.trash
	m.trash = nil
	return m, m.change(func(ctx context.Context) done { return m.reader.restore(ctx, trash) })
}

func (m model) asked(text string, fn func(ctx context.Context) done) (model, tea.Cmd) {
	m.ask = &question{text, m.change(fn)}
	return m, nil
}

func (m model) change(fn func(ctx context.Context) done) tea.Cmd {
	return m.run(actTimeout, func(ctx context.Context) tea.Msg { return fn(ctx) })
}

func (m model) help() []string {
	lines := []string{
		"1 to 6, Tab, arrows  another tab      up, down, PgUp, PgDn  another row",
		"Enter                details          /                     filter; Esc ends it",
		"s                    sort the queues  g                     read now",
		"q                    quit             Ctrl-Z                suspend",
		"",
		"With --act:",
		"r        retry a failed job, or run a delayed one now",
		"x        remove a job, or a queue with its jobs",
		"u        restore what was just removed",
		"p        pause a queue, or let it continue",
		"k        stop a running job of a Go worker",
		"R, X, K  the same for all rows that the tab shows, after a question",
		"P        pause all workers, or let them continue",
		"",
		"WAIT is how long the next job has been waiting, if its payload has the time.",
		"If nothing changes, Redis is read every 15 seconds; a key reads it at once.",
	}
	if !m.act {
		lines[5] = "With --act, which was not given:"
	}
	return lines
}
