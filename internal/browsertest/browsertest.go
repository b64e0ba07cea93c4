// Package browsertest lets tests use pages in a real Chromium. It uses Chromium's
// debugging pipe, so that go.mod requires no module for it: users of the library would
// have to require that module too.
package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// patience is how long one step may take. Only a failing test waits so long.
const patience = time.Minute

// Tab is a tab of a Chromium.
type Tab struct {
	t       testing.TB
	browser *pipe
	session string // the tab's name in the protocol
}

// Start starts a Chromium that stops when the test ends. It skips the test if
// Chromium is not installed.
func Start(t testing.TB) *Tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	redistest.Require(t, "chromium", err == nil && runtime.GOOS != "windows") // which has no files 3 and 4
	profile, err := os.MkdirTemp("", "browsertest")                           //nolint:usetesting // Chromium's own processes may write to it for a moment longer, and TempDir would fail the test
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	tab := &Tab{t: t, browser: launch(t, path, profile)}
	if err := tab.open(); err != nil {
		output, _ := os.ReadFile(filepath.Join(profile, "stderr"))
		require.NoError(t, err, "Chromium's output:\n%s", output)
	}
	return tab
}

// launch starts a Chromium and ends it when the test ends.
func launch(t testing.TB, path, profile string) *pipe {
	t.Helper()
	fromTest, toChromium, err := os.Pipe()
	require.NoError(t, err)
	fromChromium, toTest, err := os.Pipe()
	require.NoError(t, err)
	stderr, err := os.Create(filepath.Join(profile, "stderr"))
	require.NoError(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, "--headless", "--no-sandbox", "--remote-debugging-pipe", "--user-data-dir="+profile,
		"--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-extensions", "--disable-sync",
		"--disable-dev-shm-usage", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
		"--disable-backgrounding-occluded-windows", "--hide-scrollbars", "--mute-audio", "--password-store=basic", "about:blank")
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{fromTest, toTest} // files 3 and 4
	err = cmd.Start()
	for _, f := range []*os.File{fromTest, toTest, stderr} {
		_ = f.Close() // Chromium has them
	}
	require.NoError(t, err)
	p := newPipe(toChromium, fromChromium)
	t.Cleanup(func() {
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = toChromium.Close() // Chromium ends
		_ = cmd.Wait()         // its status does not matter
		_ = fromChromium.Close()
	})
	return p
}

// open opens the tab and asks for the events that Complaints returns.
func (tab *Tab) open() error {
	ctx, cancel := tab.limit()
	defer cancel()
	var target struct {
		TargetID string `json:"targetId"`
	}
	if err := tab.browser.call(ctx, "", "Target.createTarget", params{"url": "about:blank"}, &target); err != nil {
		return err
	}
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	if err := tab.browser.call(ctx, "", "Target.attachToTarget", params{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return err
	}
	tab.session = attached.SessionID
	for _, method := range []string{"Page.enable", "Runtime.enable", "Log.enable"} {
		if err := tab.call(ctx, method, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// Do performs the steps of a visitor, one after the other. If a step takes longer
// than a minute, Do fails the test and shows the page's text.
func (tab *Tab) Do(steps ...Step) {
	tab.t.Helper()
	for i, step := range steps {
		ctx, cancel := tab.limit()
		err := step(ctx, tab)
		cancel()
		if err != nil {
			require.NoError(tab.t, err, "step %d of %d, on the page:\n%s", i+1, len(steps), tab.text())
		}
	}
}

// Ask returns the value of a JavaScript expression, or of the promise that it returns.
func Ask[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	ctx, cancel := tab.limit()
	defer cancel()
	value, err := evaluate[T](ctx, tab, expression)
	require.NoError(tab.t, err, expression)
	return value
}

// Complaints returns the errors and warnings that the browser has reported.
func (tab *Tab) Complaints() []string { return tab.browser.complaints() }

// limit returns a context for one step. The test's own context ends before its
// cleanup functions run.
func (tab *Tab) limit() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(tab.t.Context()), patience)
}

// text returns the page's address and visible text for a failure message.
func (tab *Tab) text() string {
	ctx, cancel := tab.limit()
	defer cancel()
	page, err := evaluate[string](ctx, tab, `location.href + "\n" + document.body.innerText`)
	if err != nil {
		return err.Error()
	}
	return page
}

func (tab *Tab) call(ctx context.Context, method string, args params, result any) error {
	return tab.browser.call(ctx, tab.session, method, args, result)
}

// must is call for what a test prepares.
func (tab *Tab) must(method string, args params, result any) {
	tab.t.Helper()
	ctx, cancel := tab.limit()
	defer cancel()
	require.NoError(tab.t, tab.call(ctx, method, args, result))
}

// evaluate returns the value of an expression. Any type but a struct{} gets the
// expression's value as JSON. For the page, a script is an action of the visitor.
func evaluate[T any](ctx context.Context, tab *Tab, expression string) (T, error) {
	var value T
	_, discard := any(value).(struct{}) // its JSON could be large, or impossible
	var answer struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		ExceptionDetails *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	args := params{"expression": expression, "returnByValue": !discard, "awaitPromise": !discard, "userGesture": true}
	if err := tab.call(ctx, "Runtime.evaluate", args, &answer); err != nil {
		return value, err
	}
	if e := answer.ExceptionDetails; e != nil {
		return value, fmt.Errorf("%s %s", e.Text, e.Exception.Description)
	}
	if discard {
		return value, nil
	}
	if answer.Result.Value == nil {
		return value, errors.New("the expression has no value")
	}
	if err := json.Unmarshal(answer.Result.Value, &value); err != nil {
		return value, fmt.Errorf("the value of the expression: %w", err)
	}
	return value, nil
}
