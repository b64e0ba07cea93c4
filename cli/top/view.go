package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/goresque/goresque/resque"
)

// The lines above and below the body, and the size below which nothing is shown.
const (
	headLines            = 4
	footLines            = 2
	leastWidth, leastTop = 20, 8
)

func (m model) bodyHeight() int { return max(m.height-headLines-footLines, 1) }

// View returns the screen.
func (m model) View() tea.View {
	v := tea.NewView(strings.Join(m.screen(), "\n"))
	v.AltScreen = true
	return v
}

// screen returns the lines of the screen, exactly as many as fit.
func (m model) screen() []string {
	if m.width < leastWidth || m.height < leastTop {
		return []string{m.cut("too small", max(m.width, 0))}
	}
	lines := append(m.head(), m.body()...)
	for len(lines) < m.height-footLines {
		lines = append(lines, "")
	}
	return append(lines[:m.height-footLines], m.foot()...)
}

// part is a piece of a line.
type part struct {
	style lipgloss.Style
	text  string
}

func said(text string) part { return part{text: text} }

func bold(text string) part { return part{lipgloss.NewStyle().Bold(true), text} }

func faint(text string) part { return part{lipgloss.NewStyle().Faint(true), text} }

func alarm(text string) part {
	return part{lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red), text}
}

func warning(text string) part { return part{lipgloss.NewStyle().Foreground(lipgloss.Yellow), text} }

func marked(text string) part { return part{lipgloss.NewStyle().Reverse(true), text} }

// joined returns the parts as one line of the screen's width at most.
func (m model) joined(parts ...part) string {
	var line strings.Builder
	left := m.width
	for _, p := range parts {
		text := m.cut(p.text, left)
		if left -= width(text); text != "" {
			line.WriteString(p.style.Render(text))
		}
	}
	return line.String()
}

func (m model) head() []string {
	mode := faint("  read-only")
	if m.act {
		mode = warning("  actions on")
	}
	clock := ""
	if m.known {
		clock = m.snap.Now.UTC().Format("  15:04:05 UTC")
	}
	lines := []string{m.joined(bold("goresque top  "), said(m.cut(m.title, max(m.width-44, 10))), mode, faint(clock))}
	if !m.known {
		lines = append(lines, "", m.state("Reading Redis..."))
	} else {
		lines = append(lines, m.numbers(), m.state(""))
	}
	return append(lines, m.tabLine())
}

// tabLine returns the names of the tabs, or only their numbers if there is little room.
func (m model) tabLine() string {
	const room = 67 // all names
	var parts []part
	for t := range tabs {
		name := fmt.Sprintf(" %d %s ", t+1, t)
		switch {
		case t == m.tab:
			parts = append(parts, marked(name))
		case m.width < room:
			parts = append(parts, faint(fmt.Sprintf(" %d ", t+1)))
		default:
			parts = append(parts, faint(name))
		}
	}
	return m.joined(parts...)
}

// numbers returns the line of numbers.
func (m model) numbers() string {
	var pending, failed int64
	for _, q := range m.snap.Queues {
		pending += q.Size
	}
	for _, f := range m.snap.Failures {
		failed += f.Size
	}
	workers := countWorkers(m.snap)
	var parts []part // the worst first, because the end may be cut
	if m.snap.Paused {
		parts = append(parts, alarm("ALL PAUSED  "))
	}
	if len(m.snap.Damage) > 0 {
		parts = append(parts, alarm(count(len(m.snap.Damage), "damaged key", "damaged keys")+", see goresque doctor  "))
	}
	parts = append(parts,
		said("waiting "), bold(grouped(pending)), said("  running "), bold(fmt.Sprintf("%s/%s", grouped(int64(workers.working)), grouped(int64(workers.registered)))),
		said("  failed "), bold(grouped(failed)), said("  done "), bold(grouped(m.snap.Processed)))
	if late := m.snap.Late(); late > 0 {
		parts = append(parts, warning("  delayed jobs late by "+ago(late)))
	} else if m.snap.Delayed > 0 {
		parts = append(parts, said("  next delayed in "), bold(ago(m.snap.NextDue.Sub(m.snap.Now))))
	}
	return m.joined(parts...)
}

// state returns the line of rates, or why there are none.
func (m model) state(otherwise string) string {
	if m.away.err != nil {
		return m.joined(alarm("Redis is away since "+m.away.at.UTC().Format("15:04:05 UTC")), said(": "+m.explained(m.away.err)+". Trying again."))
	}
	performed, failed, ok := m.rates.now()
	if !ok {
		return m.joined(faint(cmp.Or(otherwise, "The rates are known after the second look.")))
	}
	bars := max(min((m.width-44)/2, 60), 5)
	return m.joined(
		said("jobs/s "), bold(m.pad(rateText(performed), 7, false)), faint(spark(m.rates.series(bars, processedOf), m.texts)),
		said("  failures/s "), bold(m.pad(rateText(failed), 7, false)), faint(spark(m.rates.series(bars, failedOf), m.texts)))
}

func (m model) body() []string {
	switch {
	case m.page != nil:
		return m.pageBody(*m.page)
	case m.tab == tabOverview:
		return m.overview()
	default:
		return m.table(m.lists[m.tab], m.rows(), m.bodyHeight(), true)
	}
}

// details returns the fields of a row as lines.
func (m model) details(r row) []string {
	var lines []string
	for _, f := range r.fields {
		texts := strings.Split(f.text, "\n")
		for i, text := range texts {
			name := ""
			if i == 0 {
				name = f.name
			}
			if text != "" || len(texts) > 1 && i == 0 {
				lines = append(lines, m.pad(name, 10, false)+" "+m.clean(strings.ReplaceAll(text, "\t", "  ")))
			}
		}
	}
	return lines
}

// wrapped returns the lines of a page in the width of the screen.
func (m model) wrapped(p page) []string {
	var lines []string
	for _, line := range p.lines {
		lines = append(lines, wrap(line, m.width)...)
	}
	return lines
}

func (m model) pageBody(p page) []string {
	lines, rows := m.wrapped(p), m.bodyHeight()-1
	first := max(min(p.top, len(lines)-rows), 0)
	title := p.title
	if len(lines) > rows {
		title += fmt.Sprintf("  (lines %d to %d of %d)", first+1, min(first+rows, len(lines)), len(lines))
	}
	return append([]string{m.joined(bold(title))}, lines[first:min(first+rows, len(lines))]...)
}

// table returns a table with its titles, of which at most so many lines are shown.
func (m model) table(l list, rows []row, height int, choose bool) []string {
	if l.err != nil {
		return []string{m.joined(alarm(m.explained(l.err)))}
	}
	if !l.known {
		return []string{m.joined(faint("Reading..."))}
	}
	all := widths(l.columns, m.width-1)
	lines := []string{m.joined(faint(" " + tableLine(m.texts, l.columns, all, titles(l.columns))))}
	if len(rows) == 0 {
		return append(lines, m.joined(faint(" "+m.none())))
	}
	at, part := m.at(rows), max(height-1, 1)
	first := 0
	if choose {
		first = max(min(at-part/2, len(rows)-part), 0)
	}
	for i := first; i < min(first+part, len(rows)); i++ {
		lines = append(lines, m.rowLine(l, rows[i], all, choose && i == at))
	}
	return lines
}

func (m model) none() string {
	if m.filter != "" {
		return "No row matches the filter."
	}
	return "None"
}

func (m model) rowLine(l list, r row, all []int, isChosen bool) string {
	text := tableLine(m.texts, l.columns, all, r.cells)
	switch {
	case isChosen:
		return m.joined(marked(m.pad(">"+text, m.width, false)))
	case r.mood == wrong:
		return m.joined(said(" "), part{lipgloss.NewStyle().Foreground(lipgloss.Red), text})
	case r.mood == notable:
		return m.joined(said(" "), warning(text))
	case r.mood == quiet:
		return m.joined(said(" "), faint(text))
	}
	return m.joined(said(" " + text))
}

// workerCount is how many workers are in each state.
type workerCount struct {
	host                                    string
	registered, working, idle, silent, ruby int
}

func (c *workerCount) add(w resque.RegisteredWorker) {
	if isSilent(w) {
		c.silent++
	}
	if !w.Registered {
		return
	}
	c.registered++
	switch {
	case w.Working:
		c.working++
	default:
		c.idle++
	}
	if !w.Go {
		c.ruby++
	}
}

func countWorkers(snap resque.Snapshot) (c workerCount) {
	for _, w := range snap.Workers {
		c.add(w)
	}
	return c
}

// byHost returns the workers of each host, those with the most running jobs first.
func byHost(snap resque.Snapshot) []*workerCount {
	hosts := map[string]*workerCount{}
	var all []*workerCount
	for _, w := range snap.Workers {
		c := hosts[w.Host]
		if c == nil {
			c = &workerCount{host: w.Host}
			hosts[w.Host], all = c, append(all, c)
		}
		c.add(w)
	}
	slices.SortFunc(all, func(a, b *workerCount) int {
		return cmp.Or(cmp.Compare(b.working, a.working), cmp.Compare(b.registered, a.registered), cmp.Compare(a.host, b.host))
	})
	return all
}

// overview shows the queues and the workers of each host.
func (m model) overview() []string {
	if !m.known {
		fault, _ := resque.Explain(m.away.err)
		return wrap(m.clean(fault.Advice), m.width)
	}
	hosts := m.hosts()
	height := m.bodyHeight()
	below := min(len(hosts.rows)+2, max(height/3, 4))
	lines := m.table(m.lists[tabQueues], m.lists[tabQueues].rows, max(height-below, 2), false)
	for len(lines) < height-below {
		lines = append(lines, "")
	}
	return append(append(lines, ""), m.table(hosts, hosts.rows, below-1, false)...)
}

func (t texts) hostList(snap resque.Snapshot) list {
	l := list{known: true, columns: []column{
		{title: "WORKERS ON", share: 1},
		{title: "WORKING", width: 8, right: true},
		{title: "IDLE", width: 8, right: true},
		{title: "SILENT", width: 8, right: true},
		{title: "GO", width: 8, right: true},
		{title: "RUBY", width: 8, right: true},
	}}
	for _, c := range byHost(snap) {
		r := row{cells: []string{t.line(cmp.Or(c.host, "(unknown host)"), cellWidth)}}
		for _, n := range []int{c.working, c.idle, c.silent, c.registered - c.ruby, c.ruby} {
			r.cells = append(r.cells, grouped(int64(n)))
		}
		if c.silent > 0 {
			r.mood = wrong
		}
		l.rows = append(l.rows, r)
	}
	return l
}

func (m model) hosts() list { return m.hostList(m.snap) }

// foot returns the line of the filter, the question or the note, and that of the keys.
func (m model) foot() []string {
	line, rows := "", m.rows()
	l := m.lists[m.tab]
	switch {
	case m.ask != nil:
		return []string{m.joined(alarm(m.ask.text)), m.joined(bold("y"), said(" yes   "), bold("any other key"), said(" no"))}
	case m.typing:
		return []string{m.joined(bold("Filter: "), said(m.clean(m.filter)), marked(" ")), m.joined(bold("Enter"), said(" keep   "), bold("Esc"), said(" clear"))}
	case m.note.wrong:
		line = m.joined(alarm(m.note.text))
	case m.note.text != "":
		line = m.joined(bold(m.note.text))
	case m.filter != "":
		line = m.joined(bold("Filter: "), said(m.clean(m.filter)), faint(fmt.Sprintf("  %d of %d rows; Esc clears it", len(rows), len(l.rows))))
	case m.page == nil && m.tab != tabOverview && len(rows) > 0:
		line = m.joined(faint(fmt.Sprintf("%d of %d", m.at(rows)+1, len(rows))), faint(prefixed(", ", l.note)))
	}
	return []string{line, m.keys()}
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func (m model) keys() string {
	keys := [][2]string{{"?", "help"}, {"q", "quit"}, {"Tab", "next"}}
	if m.page != nil {
		return m.joined(bold("Esc"), said(" back   "), bold("up, down"), said(" scroll   "))
	}
	if m.tab != tabOverview {
		keys = append(keys, [2]string{"/", "filter"}, [2]string{"Enter", "details"})
	}
	if m.tab <= tabQueues {
		keys = append(keys, [2]string{"s", "sort"})
	}
	if m.act {
		keys = append(keys, m.actKeys()...)
	}
	var parts []part
	for _, k := range keys {
		parts = append(parts, bold(k[0]), said(" "+k[1]+"  "))
	}
	return m.joined(parts...)
}

func (m model) actKeys() [][2]string {
	switch m.tab {
	case tabQueues:
		return [][2]string{{"p", "pause"}, {"x", "remove"}}
	case tabWorking:
		return [][2]string{{"k", "stop"}}
	case tabFailed:
		return [][2]string{{"r", "retry"}, {"x", "remove"}, {"R X", "all"}}
	case tabScheduled, tabRetries:
		return [][2]string{{"r", "run now"}, {"x", "remove"}, {"R X", "all"}}
	default:
		return [][2]string{{"P", "pause all"}}
	}
}
