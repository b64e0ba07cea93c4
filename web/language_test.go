package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

func TestLanguageIsChosen(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	page := func(accept, cookie string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/overview", nil)
		r.Header.Set("Accept-Language", accept)
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: "resque_language", Value: cookie})
		}
		rec := httptest.NewRecorder()
		s.dashboard.ServeHTTP(rec, r)
		require.Equal(t, http.StatusOK, rec.Code)
		return regexp.MustCompile(`<html lang="([^"]*)"`).FindStringSubmatch(rec.Body.String())[1]
	}
	assert.Equal(t, "en", page("", ""))
	assert.Equal(t, "de", page("de-AT,en;q=0.5", ""))
	assert.Equal(t, "pt-BR", page("pt", ""))
	assert.Equal(t, "fr", page("sv,fr;q=0.8", ""))
	assert.Equal(t, "en", page("tlh", ""), "a language that is not known")
	assert.Equal(t, "en", page("xx,de", ""), "a header that cannot be read")
	assert.Equal(t, "ja", page("de", "ja"), "the user's choice is more important")
	assert.Equal(t, "de", page("de", "nonsense"))
}
