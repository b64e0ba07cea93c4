package top

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
)

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// newTestModel returns a model whose commands do not end by themselves.
func newTestModel(t *testing.T, act bool, columns, lines int) model {
	t.Helper()
	m := model{settings: settings{title: "resque on redis://localhost:6379", act: act, interval: time.Hour}}
	m.run = func(_ time.Duration, fn func(ctx context.Context) tea.Msg) tea.Cmd {
		return func() tea.Msg { return fn(t.Context()) }
	}
	return m.after(t, tea.WindowSizeMsg{Width: columns, Height: lines})
}

// after returns the model after messages, without running their commands.
func (m model) after(t *testing.T, messages ...tea.Msg) model {
	t.Helper()
	for _, msg := range messages {
		next, _ := m.Update(msg)
		m = next.(model)
	}
	return m
}

// key returns the message of a key, such as "q", "enter" or "ctrl+c".
func key(name string) tea.KeyPressMsg {
	codes := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "tab": tea.KeyTab, "end": tea.KeyEnd, "home": tea.KeyHome, "pgdown": tea.KeyPgDown, "backspace": tea.KeyBackspace}
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if letter, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

func keys(names ...string) []tea.Msg {
	all := make([]tea.Msg, len(names))
	for i, name := range names {
		all[i] = key(name)
	}
	return all
}

func job(class string, args ...string) *resque.Payload {
	p := &resque.Payload{Class: class, Raw: []byte(`{}`)}
	for _, arg := range args {
		p.Args = append(p.Args, json.RawMessage(arg))
	}
	return p
}

func snapshot() resque.Snapshot {
	running := func(id string, class string) resque.RegisteredWorker {
		return resque.RegisteredWorker{
			ID: id, Host: "web1", PID: 7, Queues: []string{"mail"}, Registered: true, Working: true,
			Job: &resque.Payload{Class: class, Queue: "mail"}, RunAt: noon().Add(-time.Minute), RunAtText: "then",
		}
	}
	return resque.Snapshot{
		Now: noon(), Processed: 1000, Failed: 3, Delayed: 1, NextDue: noon().Add(time.Hour),
		Queues: []resque.QueueState{
			{Queue: "mail", Size: 1234, Next: job("Welcome")},
			{Queue: "exports", Size: 5, Next: &resque.Payload{Class: "Exporter", Raw: []byte(`{"class":"Exporter","args":[],"enqueued_at":"2026-01-02T11:45:00Z"}`)}},
			{Queue: "low", Paused: true},
		},
		Failures: []resque.FailureListSize{{List: resque.FailedList, Size: 3}},
		Workers: []resque.RegisteredWorker{
			running("web1:7:mail", "Welcome"), running("web1:8:mail", "Goodbye"),
			{ID: "web2:9:mail", Host: "web2", PID: 9, Queues: []string{"mail"}, Registered: true, Heartbeat: noon().Add(-time.Hour), Silence: time.Hour},
		},
	}
}

func failed(n int) []resque.FailedJob {
	jobs := make([]resque.FailedJob, n)
	for i := range jobs {
		jobs[i] = resque.FailedJob{
			ID: resque.FailureID{List: resque.FailedList, Position: int64(n - i), Digest: fmt.Sprintf("%016d", n-i)}, Class: fmt.Sprintf("Class%d", n-i),
			Queue: "mail", Exception: "IOError", Error: "broken", FailedAt: noon().Add(-time.Duration(i) * time.Minute),
		}
	}
	return jobs
}

// withFailures returns a model that shows failures.
func withFailures(t *testing.T, act bool, n int) model {
	t.Helper()
	m := newTestModel(t, act, 80, 24)
	return m.after(t, snapMsg{snap: snapshot()}, key("4"), listMsg{tabFailed, m.failures(failed(n), noon())})
}

func text(m model) string {
	return regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(strings.Join(m.screen(), "\n"), "")
}

func TestOverview(t *testing.T) {
	t.Parallel()
	m := newTestModel(t, false, 80, 24)
	assert.Contains(t, text(m), "Reading Redis")
	m = m.after(t, snapMsg{snap: snapshot()})
	later := snapshot()
	later.Now, later.Processed, later.Failed = later.Now.Add(4*time.Second), 1050, 4
	m = m.after(t, snapMsg{snap: later})
	screen := text(m)
	for _, want := range []string{
		"resque on redis://localhost:6379", "read-only", "12:00:04 UTC", "waiting 1,239", "running 2/3", "failed 3", "done 1,050",
		"next delayed in 59m", "jobs/s 13", "failures/s 0.2", "paused", "no worker",
	} {
		assert.Contains(t, screen, want)
	}
	assert.Regexp(t, `mail +1,234 +3 +Welcome`, screen)
	assert.Regexp(t, `exports +5 +15m +0 no worker +Exporter`, screen)
	assert.Regexp(t, `web1 +2 +0 +0 +0 +2`, screen)
	assert.Regexp(t, `web2 +0 +1 +1 +0 +1`, screen)
	assert.Less(t, strings.Index(screen, "mail "), strings.Index(screen, "exports "), "by jobs")
	screen = text(m.after(t, key("s")))
	assert.Less(t, strings.Index(screen, "exports "), strings.Index(screen, "mail "), "by wait")
	later.Paused, later.Damage = true, []error{errors.New("x")}
	assert.Regexp(t, "ALL PAUSED.*1 damaged key", text(m.after(t, snapMsg{snap: later})))
}

// Every screen has exactly as many lines as fit, none too long, and nothing that a
// terminal obeys.
func TestScreensFit(t *testing.T) {
	t.Parallel()
	hostile := "\x1b]0;title\a\x1b[2J\r\n\t\u202eright to left\u2066 日本語 " + strings.Repeat("e\u0301\u0301\u0301\u0301", 9) +
		" \U0001f1e9\U0001f1ea \U0001f469\u200d\U0001f4bb \ufe0f \u1100\u1161\u11a8 \x9b31m \xff\x00\x7f" + strings.Repeat("語x", 1<<18)
	snap := snapshot()
	snap.Queues = append(snap.Queues, resque.QueueState{Queue: hostile, Size: 1 << 60, Next: job(hostile, hostile), Err: errors.New(hostile)})
	snap.Workers = append(snap.Workers, resque.RegisteredWorker{
		ID: hostile, Host: hostile, Queues: []string{hostile}, Registered: true, Working: true, HeartbeatText: hostile, RunAtText: hostile,
		Job: &resque.Payload{Class: hostile, Queue: hostile, Args: []json.RawMessage{json.RawMessage(hostile)}, Raw: []byte(hostile)}, Damage: errors.New(hostile),
	})
	failure := resque.FailedJob{
		Class: hostile, Queue: hostile, Exception: hostile, Error: hostile, Worker: hostile, Backtrace: []string{hostile, hostile},
		FailedAtText: hostile, Payload: []byte(hostile), Raw: []byte(hostile), Size: 1 << 40, Damage: errors.New(hostile),
	}
	delayed := resque.DelayedJob{Class: hostile, Queue: hostile, Args: []json.RawMessage{json.RawMessage(hostile)}, Raw: []byte(hostile)}
	lists := func(m model) []tea.Msg {
		return []tea.Msg{
			snapMsg{snap: snap},
			listMsg{tabFailed, m.failures([]resque.FailedJob{failure}, noon())},
			listMsg{tabScheduled, m.delayed([]resque.DelayedJob{delayed}, noon())},
			listMsg{tabRetries, m.retries([]resque.RetryingJob{{DelayedJob: delayed, Failure: failure}}, noon())},
		}
	}
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}, {20, 8}, {33, 9}, {3, 2}, {0, 0}} {
		for _, ascii := range []bool{false, true} {
			t.Run(fmt.Sprint(size, ascii), func(t *testing.T) {
				t.Parallel()
				m := newTestModel(t, true, size[0], size[1])
				m.ascii = ascii
				m.title = m.line(hostile, cellWidth)
				check(t, m)
				m = m.after(t, lists(m)...)
				for n := range tabs {
					m = m.after(t, key(fmt.Sprint(n+1)))
					check(t, m)
					check(t, m.after(t, keys("end", "enter")...))
					check(t, m.after(t, keys("end", "enter", "end", "pgdown")...))
					check(t, m.after(t, keys("end", "x")...))
					check(t, m.after(t, keys("X")...))
					check(t, m.after(t, keys("k")...))
					check(t, m.after(t, key("/"), tea.PasteMsg{Content: hostile}))
					check(t, m.after(t, key("/"), tea.PasteMsg{Content: hostile}, key("enter")))
				}
				check(t, m.after(t, key("?")))
				check(t, m.after(t, snapMsg{err: errors.New(hostile)}))
				check(t, m.after(t, done{text: "done", err: errors.New(hostile)}))
				m = m.after(t, keys("1", "2", "enter")...)
				check(t, m.after(t, queueMsg{name: m.page0().queue, jobs: []resque.QueuedJob{{Raw: []byte(hostile)}, {Raw: []byte(`{"class":"A","args":["\u001b[2J\u202e"]}`)}}}))
			})
		}
	}
}

func (m model) page0() page {
	if m.page == nil {
		return page{}
	}
	return *m.page
}

func check(t *testing.T, m model) {
	t.Helper()
	lines := strings.Split(text(m), "\n")
	if m.width >= leastWidth && m.height >= leastTop {
		require.Len(t, lines, m.height, "%q", lines)
	}
	for _, line := range lines {
		require.LessOrEqual(t, width(line), m.width, "%q", line)
		for _, r := range line {
			require.True(t, unicode.IsPrint(r), "%q in %q", r, line)
			require.False(t, m.ascii && r >= 0x80, "%q in %q", r, line)
		}
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	m := withFailures(t, false, 3)
	for _, name := range []string{"r", "R", "x", "X", "p", "P", "k", "K", "u"} {
		next, cmd := m.Update(key(name))
		assert.Nil(t, cmd, name)
		assert.Nil(t, next.(model).ask, name)
		assert.Contains(t, text(next.(model)), "read-only: 'goresque top --act'", name)
	}
}

func TestActionsOnManyAsk(t *testing.T) {
	t.Parallel()
	for name, question := range map[string]string{
		"R": "Retry all 3 jobs that this tab shows?", "X": "Remove all 3 jobs that this tab shows? They can be restored",
		"P": "Pause all workers",
	} {
		m := withFailures(t, true, 3)
		next, cmd := m.Update(key(name))
		assert.Nil(t, cmd, "nothing happens before the answer")
		m = next.(model)
		assert.Contains(t, text(m), question)
		for _, other := range []string{"n", "enter", "esc", "q", name} {
			next, cmd = m.Update(key(other))
			assert.Nil(t, cmd, "%s, then %s", name, other)
			assert.Contains(t, text(next.(model)), "nothing was changed")
		}
		next, cmd = m.Update(key("y"))
		assert.NotNil(t, cmd)
		assert.Nil(t, next.(model).ask)
	}
	m := newTestModel(t, true, 80, 24).after(t, snapMsg{snap: snapshot()}, key("2"))
	assert.Contains(t, text(m.after(t, key("x"))), "Remove the queue mail with its 1,234 jobs? This cannot be undone.")
	assert.Contains(t, text(m.after(t, keys("3", "k")...)), "Stop the running job Welcome of web1:7?")
	assert.Contains(t, text(m.after(t, keys("3", "K")...)), "Stop the 2 running jobs that this tab shows?")
	assert.Contains(t, text(m.after(t, keys("2", "k")...)), "only a running job can be stopped")
	assert.Contains(t, text(m.after(t, keys("3", "r")...)), "no such action")
	assert.Contains(t, text(m.after(t, keys("1", "x")...)), "no job or queue to do that with")
	assert.Contains(t, text(m.after(t, key("u"))), "nothing to restore")
}

// A filter also limits what actions on many change.
func TestFilter(t *testing.T) {
	t.Parallel()
	m := withFailures(t, true, 30)
	m = m.after(t, keys("/", "C", "L", "a", "s", "s", "2", "x", "backspace")...)
	assert.Contains(t, text(m), "Filter: CLass2")
	assert.Len(t, m.rows(), 11, "Class2 and Class20 to Class29, in any case")
	m = m.after(t, keys("enter", "X")...)
	assert.Contains(t, text(m), "Remove all 11 jobs")
	m = m.after(t, keys("n", "down")...)
	assert.Contains(t, text(m), "11 of 30 rows")
	assert.Len(t, m.after(t, key("esc")).rows(), 30)
	assert.Len(t, m.after(t, keys("5", "4")...).rows(), 30, "another tab ends it")
	m = m.after(t, keys("/", "z", "z", "enter")...)
	assert.Contains(t, text(m), "No row matches the filter")
	assert.Contains(t, text(m.after(t, key("X"))), "no job or queue")
	assert.Empty(t, m.after(t, keys("/", "ctrl+u")...).filter)
	assert.LessOrEqual(t, len(m.after(t, key("/"), tea.PasteMsg{Content: strings.Repeat("語", 1000)}).filter), filterBytes)
}

// New failures do not move the choice to another job.
func TestChoiceFollowsTheRow(t *testing.T) {
	t.Parallel()
	m := withFailures(t, true, 30).after(t, keys("down", "down")...)
	chosenClass := func(m model) string { return m.rows()[m.at(m.rows())].cells[2] }
	require.Equal(t, "Class28", chosenClass(m))
	m = m.after(t, listMsg{tabFailed, m.failures(failed(35), noon())})
	assert.Equal(t, "Class28", chosenClass(m))
	assert.Contains(t, text(m), ">   7m mail")
	m = m.after(t, listMsg{tabFailed, m.failures(failed(2), noon())})
	assert.Equal(t, "Class1", chosenClass(m), "the nearest row if it is gone")
	m = m.after(t, listMsg{tabFailed, m.failures(nil, noon())})
	assert.Contains(t, text(m.after(t, keys("up", "down", "end", "enter")...)), "None")
}

// If the chosen row has just gone, a key does not act on the row that took its place.
func TestNoActionOnAnotherRow(t *testing.T) {
	t.Parallel()
	m := withFailures(t, true, 30).after(t, keys("down", "down")...)
	m = m.after(t, listMsg{tabFailed, m.failures(failed(2), noon())})
	for _, name := range []string{"r", "x"} {
		next, cmd := m.Update(key(name))
		assert.Nil(t, cmd, name)
		assert.Contains(t, text(next.(model)), "the chosen row is gone", name)
		_, cmd = next.Update(key(name))
		assert.NotNil(t, cmd, "the user has seen the row that is marked now")
	}
	m = withFailures(t, true, 30).after(t, keys("down", "x")...)
	m = m.after(t, listMsg{tabFailed, m.failures(failed(2), noon())})
	_, cmd := m.Update(key("x"))
	assert.NotNil(t, cmd, "the key itself has removed the row")
	m = withFailures(t, true, 30).after(t, keys("down", "/", "C", "l", "a", "s", "s", "2", "enter")...)
	_, cmd = m.Update(key("r"))
	assert.NotNil(t, cmd, "the user has chosen the row with a filter")
}

func TestDetails(t *testing.T) {
	t.Parallel()
	jobs := failed(1)
	jobs[0].Backtrace = strings.Split(strings.Repeat("/app/a.rb\n", 50), "\n")
	jobs[0].Payload = []byte(`{"class":"Class1","args":["` + strings.Repeat("x", 200) + `"]}`)
	m := withFailures(t, false, 1)
	m = m.after(t, listMsg{tabFailed, m.failures(jobs, noon())}, key("enter"))
	for _, want := range []string{"exception  IOError", "failed     2026-01-02 12:00:00 UTC", "lines 1 to 17", "payload    {"} {
		assert.Contains(t, text(m), want)
	}
	assert.Contains(t, text(m.after(t, keys("pgdown", "down")...)), "/app/a.rb")
	assert.Contains(t, text(m.after(t, keys("end", "home")...)), "lines 1 to 17")
	assert.Contains(t, text(m.after(t, keys("end", "down")...)), "lines 45 to 61 of 61")
	assert.Contains(t, text(m.after(t, key("esc"))), "CLASS")
	m = m.after(t, keys("esc", "2", "enter")...)
	m = m.after(t, queueMsg{name: "other", err: errors.New("late")})
	assert.Contains(t, text(m), "Reading the next jobs")
	assert.Contains(t, text(m.after(t, queueMsg{name: "mail"})), "The queue is empty")
	assert.Contains(t, text(m.after(t, queueMsg{name: "mail", err: errors.New("broken")})), "broken")
	help := text(m.after(t, keys("esc", "?")...))
	assert.Contains(t, help, "Ctrl-Z")
	assert.Contains(t, help, "With --act, which was not given:")
	assert.Contains(t, help, "a key reads it at once.", "it fits on 80x24")
}

func TestRedisAway(t *testing.T) {
	t.Parallel()
	m := withFailures(t, false, 3)
	next, cmd := m.Update(snapMsg{err: errors.New("connection refused"), at: noon()})
	require.NotNil(t, cmd, "it tries again")
	m = next.(model).after(t, snapMsg{err: errors.New("connection refused"), at: noon().Add(time.Minute)})
	assert.Contains(t, text(m), "Redis is away since 12:00:00 UTC: connection refused. Trying again.")
	assert.Contains(t, text(m), "Class2", "what was read before stays")
	assert.NotContains(t, text(m.after(t, snapMsg{snap: snapshot()})), "away")
	m = m.after(t, listMsg{tabFailed, list{err: errors.New("no permission")}})
	assert.Contains(t, text(m), "no permission")
	_, cmd = m.Update(snapMsg{snap: snapshot()})
	assert.NotNil(t, cmd)
	assert.Zero(t, m.lists[tabFailed].loaded, "it is read again")
}

func TestQuit(t *testing.T) {
	t.Parallel()
	m := withFailures(t, true, 3)
	for _, before := range [][]tea.Msg{nil, keys("enter"), keys("X"), keys("/")} {
		_, cmd := m.after(t, before...).Update(key("ctrl+c"))
		require.NotNil(t, cmd)
		assert.Equal(t, tea.QuitMsg{}, cmd())
	}
	_, cmd := m.Update(key("q"))
	require.NotNil(t, cmd)
	assert.Equal(t, tea.QuitMsg{}, cmd())
	_, cmd = m.Update(key("ctrl+z"))
	require.NotNil(t, cmd)
	assert.Equal(t, tea.SuspendMsg{}, cmd())
}

// A timer that was replaced has no effect.
func TestOnlyTheLastTimerReads(t *testing.T) {
	t.Parallel()
	m := newTestModel(t, false, 80, 24).after(t, snapMsg{snap: snapshot()})
	_, cmd := m.Update(tickMsg{m.turn - 1})
	assert.Nil(t, cmd)
	_, cmd = m.Update(tickMsg{m.turn})
	assert.NotNil(t, cmd)
	for range sameReads {
		m = m.after(t, snapMsg{snap: snapshot()})
	}
	assert.Equal(t, idleWait, m.pace.wait(2*time.Second))
	turn := m.turn
	next, cmd := m.Update(key("down"))
	assert.NotNil(t, cmd, "a key reads at once")
	assert.Greater(t, next.(model).turn, turn)
	assert.Equal(t, 2*time.Second, next.(model).pace.wait(2*time.Second))
	changed := snapshot()
	changed.Queues[0].Size++
	assert.Equal(t, 2*time.Second, m.after(t, snapMsg{snap: changed}).pace.wait(2*time.Second))
}
