package demo

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
	"github.com/goresque/goresque/internal/browsertest"
)

// To take the pictures:
//
//	go test ./demo -run Screenshots -args -screenshots DIRECTORY
//	go test ./demo -run Pictures -args -screenshots DIRECTORY
var screenshots = flag.String("screenshots", "", "directory for pictures of every state")

// TestScreenshots takes pictures of every state for people to look at: in light, in
// dark, and in the width of a telephone.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		t.Skip("-screenshots names no directory")
	}
	still := webConfig{rows: 10_000, seconds: 6, lost: time.Hour}
	f, empty := setUpWith(t, still), setUpWith(t, still)
	f.gallery(t)
	_, _, err := f.client.RemoveQueue(t.Context(), Exporter.Queue())
	require.NoError(t, err)
	_, err = f.client.RemoveDelayed(t.Context(), Exporter.Job(8)) // it stays scheduled until all pictures are taken
	require.NoError(t, err)
	require.NoError(t, f.exports.db.Model(&Export{}).Where("id = 8").Update("due_at", time.Now().Add(time.Minute)).Error)
	f.work(t) // an idle worker, so that the page does not show that there is none
	f.runScheduler(t)
	tab := browsertest.Start(t)
	for name, look := range map[string]struct {
		theme         string
		width, height int
	}{"light": {"light", 1200, 860}, "dark": {"dark", 1200, 860}, "mobile": {"light", 390, 844}, "narrow": {"dark", 320, 640}} {
		tab.Prefer(look.theme, false)
		for page, url := range map[string]string{
			"states": f.web.URL + "/exports?live=on&ready=1", "empty-no-worker": empty.web.URL + "/exports?live=on", "by-hand": f.web.URL + "/exports?live=off",
			"one-ready": f.web.URL + "/exports/1", "one-failed": f.web.URL + "/exports/3", "one-building": f.web.URL + "/exports/5", "one-scheduled": f.web.URL + "/exports/8",
			"conflict": f.web.URL + "/exports/5/download", "gone": f.web.URL + "/exports/2/download", "missing": f.web.URL + "/exports/99",
		} {
			tab.Do(browsertest.Viewport(look.width, look.height), browsertest.Navigate(url))
			require.False(t, browsertest.Ask[bool](tab, `document.documentElement.scrollWidth > innerWidth`), "%s %s scrolls sideways", name, page)
			picture := tab.FullScreenshot()
			dir := filepath.Join(*screenshots, name)
			require.NoError(t, os.MkdirAll(dir, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, page+".png"), picture, 0o644))
		}
	}
}

// TestPicturesOfTheDocumentation takes the pictures of docs/img.
func TestPicturesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		t.Skip("-screenshots names no directory")
	}
	f := setUp(t, 10_000, 4)
	f.work(t)
	f.runScheduler(t)
	tab := browsertest.Start(t)
	tab.Do(browsertest.Viewport(900, 520), browsertest.Navigate(f.web.URL+"/exports"))
	var film [][]byte
	shoot := func() {
		film = append(film, tab.Screenshot())
	}
	shoot()
	tab.Do(click(`.primary`), browsertest.Becomes(row(1, record.Building)))
	for !browsertest.Ask[bool](tab, `window.shot = document.getElementById("list").innerHTML, `+row(1, record.Ready)) {
		shoot()
		tab.Do(browsertest.Becomes(`window.shot !== document.getElementById("list").innerHTML`))
	}
	tab.Do(browsertest.Visible("is ready – Download CSV"))
	shoot()
	animate(t, film, 40, filepath.Join(*screenshots, "demo.gif"))
	for _, look := range []string{"light", "dark"} {
		picture, err := os.ReadFile(filepath.Join(*screenshots, look, "states.png"))
		require.NoError(t, err, "take the screenshots first")
		small(t, picture, filepath.Join(*screenshots, "demo-"+look+".png"))
	}
}

// gallery creates exports in every state: 1 is ready, 2 expired, 3 failed,
// 4 canceled, 5 building, 6 and 7 are queued, 8 is scheduled. It also schedules an
// export for each night.
func (f *fixture) gallery(t *testing.T) {
	t.Helper()
	for range 7 {
		require.Equal(t, http.StatusSeeOther, f.do(t, "POST", "/exports").StatusCode)
	}
	require.Equal(t, http.StatusSeeOther, f.form(t, "/exports", "when", "later").StatusCode)
	require.Equal(t, http.StatusSeeOther, f.form(t, "/schedule", "every", "night").StatusCode)
	started := time.Now().Add(-2 * time.Second)
	for id, columns := range map[int]map[string]any{
		1: {"state": record.Ready, "done": 10_000, "bytes": 1_204_211, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "expires_at": time.Now().Add(record.KeptFor)},
		2: {"state": record.Expired},
		3: {"state": record.Failed, "message": "Its worker was killed, or the machine is gone."},
		4: {"state": record.Canceled},
		5: {"state": record.Building, "done": 4120, "started_at": started},
	} {
		require.NoError(t, f.exports.db.Model(&Export{}).Where("id = ?", id).Updates(columns).Error)
	}
}
