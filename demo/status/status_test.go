package status

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/demo/record"
)

func TestTextDescribesEachState(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	building := func(done, total int, sofar time.Duration) *record.Record {
		return &record.Record{State: record.Building, Done: done, Total: total, StartedAt: &begun, UpdatedAt: begun.Add(sofar)}
	}
	for want, r := range map[string]*record.Record{
		"3rd in line":                          {ID: 7, State: record.Queued},
		"Waiting for a worker":                 {ID: 8, State: record.Queued},
		"0 of 100 rows":                        building(0, 100, time.Second),
		"50 of 100 rows":                       building(50, 100, 100*time.Millisecond), // too early for an estimate
		"50 of 100 rows, about 2 s left":       building(50, 100, 2*time.Second),
		"99 of 100 rows, about 1 s left":       building(99, 100, 2*time.Second),
		"4,120 of 10,000 rows, about 6 s left": building(4120, 10_000, 4*time.Second),
		"100 of 10,000 rows, about 3 min left": building(100, 10_000, 2*time.Second),
		"10,000 rows, 1.2 MB":                  {State: record.Ready, Done: 10_000, Bytes: 1_204_211},
		"its message":                          {State: record.Failed, Message: "its message"},
		"You canceled it, so it has no file":   {State: record.Canceled},
		"Its file was deleted after a day":     {State: record.Expired},
	} {
		assert.Equal(t, want, NewRow(r, map[int64]int{7: 3}).Text)
		assert.Equal(t, want, NewJSON(withExpiry(r), map[int64]int{7: 3}).Message)
	}
}

func withExpiry(r *record.Record) *record.Record {
	expires := time.Now()
	r.ExpiresAt = &expires
	return r
}

func TestJSONHasAFileOrAnErrorByState(t *testing.T) {
	t.Parallel()
	for state, want := range map[record.State]struct{ complete, file, failed bool }{
		record.Queued: {}, record.Building: {},
		record.Ready: {complete: true, file: true}, record.Failed: {complete: true, failed: true},
		record.Canceled: {complete: true}, record.Expired: {complete: true},
	} {
		j := NewJSON(withExpiry(&record.Record{ID: 7, State: state, Bytes: 9, SHA256: "abc", Message: "why"}), nil)
		assert.Equal(t, want.complete, j.Complete, state)
		assert.Equal(t, want.file, j.DownloadURL != nil && *j.DownloadURL == "/exports/7/download", state)
		assert.Equal(t, want.file, j.ExpiresAt != nil && j.SHA256 == "abc" && j.Bytes == 9, state)
		assert.Equal(t, want.failed, j.Error != nil && *j.Error == "why", state)
	}
}

func TestNoFileExplainsEachState(t *testing.T) {
	t.Parallel()
	for state, want := range map[record.State]struct {
		status int
		title  string
		retry  string
	}{
		record.Queued:   {409, "Not ready yet", ""},
		record.Building: {409, "Not ready yet", ""},
		record.Failed:   {409, "Nothing to download", ""},
		record.Canceled: {409, "Nothing to download", ""},
		record.Ready:    {410, "File expired", "/exports/7/retry"}, // expired, but not swept yet
		record.Expired:  {410, "File expired", "/exports/7/retry"},
	} {
		no := NoFile(&record.Record{ID: 7, State: state})
		assert.Equal(t, want.status, no.Status, state)
		assert.Equal(t, want.title, no.Title, state)
		assert.Equal(t, want.retry, no.Retry, state)
		assert.Equal(t, "/exports/7", no.See, state)
	}
}

func TestAnswerRedirectsPeopleAndSendsJSONToPrograms(t *testing.T) {
	t.Parallel()
	answer := func(accept string, state record.State) (*httptest.ResponseRecorder, error) {
		r := httptest.NewRequest(http.MethodPost, "/exports/7/cancel", nil)
		r.Header.Set("Accept", accept)
		rec := httptest.NewRecorder()
		return rec, Answer(rec, r, &record.Record{ID: 7, State: state})
	}
	for _, state := range []record.State{record.Canceled, record.Deleted} {
		rec, err := answer("text/html", state)
		require.NoError(t, err)
		assert.Equal(t, http.StatusSeeOther, rec.Code)
		assert.Equal(t, "/exports", rec.Header().Get("Location"))
	}
	rec, err := answer("application/json", record.Canceled)
	require.NoError(t, err)
	assert.Contains(t, rec.Body.String(), `"complete":true`)
	_, err = answer("application/json", record.Deleted)
	assert.Equal(t, NotFound(), err)
}
