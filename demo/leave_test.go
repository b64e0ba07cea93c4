package demo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/goresque/goresque/demo/record"
)

// leaving performs a request whose visitor leaves after the first query or insert.
func (f *fixture) leaving(t *testing.T, method, path string) {
	t.Helper()
	type visitor struct{}
	ctx, leave := context.WithCancel(context.WithValue(t.Context(), visitor{}, true))
	defer leave()
	left := func(tx *gorm.DB) {
		if tx.Statement.Context.Value(visitor{}) != nil {
			leave()
		}
	}
	f.onQuery.Store(&left)
	defer f.onQuery.Store(nil)
	f.app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, method, path, nil))
	require.Error(t, ctx.Err(), "the visitor did not leave")
	f.relayed(t)
}

func TestActionsFinishAfterTheVisitorLeft(t *testing.T) {
	t.Parallel()
	queued := func(t *testing.T, f *fixture) int64 {
		t.Helper()
		size, err := f.client.Size(t.Context(), "exports")
		require.NoError(t, err)
		return size
	}

	t.Run("create", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.leaving(t, http.MethodPost, "/exports")
		assert.EqualValues(t, 1, queued(t, f))
		f.workOff(t)
		assert.Equal(t, record.Ready, f.json(t, "/exports/1").State)
	})

	t.Run("retry", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		f.do(t, http.MethodPost, "/exports/1/cancel")
		require.Zero(t, queued(t, f))
		f.leaving(t, http.MethodPost, "/exports/1/retry")
		assert.EqualValues(t, 1, queued(t, f))
		f.workOff(t)
		assert.Equal(t, record.Ready, f.json(t, "/exports/1").State)
	})

	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		f.leaving(t, http.MethodPost, "/exports/1/cancel")
		assert.Zero(t, queued(t, f))
		assert.Equal(t, record.Canceled, f.json(t, "/exports/1").State)
	})

	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		f := setUp(t, 10, 0)
		f.newExport(t)
		f.leaving(t, http.MethodPost, "/exports/1/delete")
		assert.Zero(t, queued(t, f))
		assert.Equal(t, http.StatusNotFound, f.do(t, http.MethodGet, "/exports/1").StatusCode)
	})
}

// Requests of programs and of the page's script must not take the flash.
func TestFlashIsKeptForTheNextIndexPage(t *testing.T) {
	t.Parallel()
	f := setUp(t, 10, 0)
	f.newExport(t)
	for name, look := range map[string]func() answer{
		"the script":         func() answer { return f.do(t, http.MethodGet, "/exports", "X-Fragment", "1") },
		"a program":          func() answer { return f.do(t, http.MethodGet, "/exports", "Accept", "application/json") },
		"another page":       func() answer { return f.do(t, http.MethodGet, "/exports/1") },
		"the problem's page": func() answer { return f.do(t, http.MethodGet, "/problem") },
		"an error":           func() answer { return f.do(t, http.MethodGet, "/exports/99") },
		"a file":             func() answer { return f.do(t, http.MethodGet, "/static/app.css") },
	} {
		assert.NotContains(t, look().body, wantFlash, name)
	}
	assert.Contains(t, f.do(t, http.MethodGet, "/exports").body, wantFlash)
	assert.NotContains(t, f.do(t, http.MethodGet, "/exports").body, wantFlash)
}
