package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/goresque/goresque/resque"
)

// tab is a page of the screen.
type tab int

const (
	tabOverview tab = iota
	tabQueues
	tabWorking
	tabFailed
	tabScheduled
	tabRetries
	tabs
)

func (t tab) String() string {
	return [...]string{"Overview", "Queues", "Working", "Failed", "Scheduled", "Retries"}[t]
}

// isRead reports whether the content of a tab is not in the snapshot.
func (t tab) isRead() bool { return t >= tabFailed }

// settings are what the flags and the terminal decide.
type settings struct {
	title    string // the namespace and the address of Redis
	act      bool
	interval time.Duration
	texts
}

// How long a read and an action may take.
const (
	readTimeout = 10 * time.Second
	actTimeout  = time.Minute
)

// model is the state of the screen. Update returns a changed copy of it. Nothing in it is
// changed in place, and it does not read Redis: its commands do.
type model struct {
	settings
	reader reader

	// run returns a command that calls fn with a context that ends with the program, or
	// after a time.
	run func(most time.Duration, fn func(ctx context.Context) tea.Msg) tea.Cmd

	width, height int

	snap  resque.Snapshot
	known bool // there is a snapshot
	away  away
	rates rates
	pace  pace
	turn  int // of the timer that counts; a key may start another

	tab    tab
	order  order
	lists  [tabs]list
	chosen [tabs]chosen
	filter string
	typing bool // the filter is being typed
	page   *page
	ask    *question
	note   note
	trash  []string // what the last action removed
}

// away is why the state cannot be read, and since when.
type away struct {
	err error
	at  time.Time
}

// chosen is the row of a list that keys act on.
type chosen struct {
	key   string // of the row
	at    int    // its index, for when the row is gone
	acted bool   // a key has acted on it, so it may go
}

// isGone reports whether the row was chosen before and has gone by itself, so that marked is
// another one.
func (c chosen) isGone(marked row) bool { return c.key != "" && c.key != marked.key && !c.acted }

// page is a text in place of the table.
type page struct {
	title string
	lines []string // clean
	top   int      // the first line that is shown
	queue string   // whose next jobs are read; not an error if it is empty
}

// question asks for a confirmation.
type question struct {
	text string
	then tea.Cmd
}

// note is the result of the last key.
type note struct {
	text  string
	wrong bool
}

// The messages of commands.
type (
	tickMsg struct{ turn int }
	snapMsg struct {
		snap resque.Snapshot
		err  error
		at   time.Time
	}
	listMsg struct {
		tab  tab
		list list
	}
	queueMsg struct {
		name string
		jobs []resque.QueuedJob
		err  error
	}
)

// Init starts to read.
func (m model) Init() tea.Cmd { return m.readSnapshot() }

func (m model) readSnapshot() tea.Cmd {
	return m.run(readTimeout, func(ctx context.Context) tea.Msg {
		snap, err := m.reader.client.Snapshot(ctx)
		return snapMsg{snap, err, time.Now()}
	})
}

// Update changes the state after a message.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m.awake(msg)
	case tea.PasteMsg:
		if m.typing {
			m.filter = typed(m.filter, msg.Content)
			m = m.marked()
		}
	case tickMsg:
		if msg.turn == m.turn {
			return m, m.readSnapshot()
		}
	case snapMsg:
		return m.snapped(msg)
	case listMsg:
		m.lists[msg.tab] = msg.list
		if msg.list.err != nil {
			m.lists[msg.tab].loaded = 0
		}
	case queueMsg:
		m = m.queueRead(msg)
	case done:
		return m.acted(msg)
	}
	return m, nil
}

// snapped takes a new snapshot and waits for the next one.
func (m model) snapped(msg snapMsg) (model, tea.Cmd) {
	m.turn++
	if msg.err != nil {
		if m.away.err == nil {
			m.away.at = msg.at
		}
		m.away.err = msg.err
		return m, m.wait(m.interval)
	}
	m.snap, m.known, m.away = msg.snap, true, away{}
	m.rates, m.pace = m.rates.add(msg.snap), m.pace.read(msg.snap)
	m = m.tabulated()
	m, read := m.loaded()
	return m, tea.Batch(read, m.wait(m.pace.wait(m.interval)))
}

// tabulated makes the lists that are in the snapshot.
func (m model) tabulated() model {
	m.lists[tabQueues] = m.queues(m.snap, m.order)
	m.lists[tabWorking] = m.working(m.snap)
	return m
}

// loaded returns a command that reads the content of the tab, unless it is known.
func (m model) loaded() (model, tea.Cmd) {
	l := &m.lists[m.tab]
	if !m.known || !m.tab.isRead() || l.loading || l.loaded != 0 && l.loaded == signature(m.tab, m.snap) {
		return m, nil
	}
	l.loading = true
	t, snap := m.tab, m.snap
	return m, m.run(readTimeout, func(ctx context.Context) tea.Msg {
		return listMsg{t, m.reader.list(ctx, t, snap, m.texts)}
	})
}

func (m model) wait(d time.Duration) tea.Cmd {
	turn := m.turn
	return tea.Tick(d, func(time.Time) tea.Msg { return tickMsg{turn} })
}

// awake handles a key. If the state was read rarely because nothing changed, it is read at
// once.
func (m model) awake(key tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	rare := m.pace.same >= sameReads
	m.pace.same = 0
	m, cmd := m.pressed(key)
	if rare {
		return m.again(cmd)
	}
	return m, cmd
}

// again reads the state now instead of after the wait.
func (m model) again(cmd tea.Cmd) (model, tea.Cmd) {
	m.turn++
	return m, tea.Batch(cmd, m.readSnapshot())
}

// acted shows the result of an action, and reads the state and the list again.
func (m model) acted(result done) (model, tea.Cmd) {
	m.trash = result.trash
	m.note = note{text: result.text}
	if result.err != nil {
		m.note = note{m.explained(result.err), true}
	} else if len(result.trash) > 0 {
		m.note.text += "; u restores"
	}
	for t := range m.lists {
		m.lists[t].loaded = 0
	}
	return m.again(nil)
}

func (m model) queueRead(msg queueMsg) model {
	if m.page == nil || m.page.queue != msg.name {
		return m // it was closed
	}
	p := *m.page
	if p.lines = m.waitingJobs(msg.jobs, msg.name); len(msg.jobs) == 0 {
		p.lines = []string{"The queue is empty."}
	}
	if msg.err != nil {
		p.lines = []string{m.explained(msg.err)}
	}
	m.page = &p
	return m
}

// rows returns the rows that the tab shows.
func (m model) rows() []row { return filtered(m.lists[m.tab].rows, m.filter) }

// at returns the index of the chosen row.
func (m model) at(rows []row) int {
	c := m.chosen[m.tab]
	for i, r := range rows {
		if r.key == c.key {
			return i
		}
	}
	return max(min(c.at, len(rows)-1), 0)
}

// explained returns an error in one line, with what Redis's errors mean.
func (m model) explained(err error) string {
	if fault, ok := resque.Explain(err); ok {
		return m.line(fault.Cause, cellWidth)
	}
	return m.line(err.Error(), 2*cellWidth)
}
