package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

// shifted is a Redis whose clock is wrong.
type shifted struct {
	*store.Store
	by  time.Duration
	err error
}

func (s shifted) Now(ctx context.Context) (time.Time, error) {
	now, err := s.Store.Now(ctx)
	return now.Add(s.by), errors.Join(err, s.err)
}

func TestCheckupComparesClocks(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		rdb := store.New(s.Open(t))
		for _, test := range []struct {
			by   time.Duration
			err  error
			says string
		}{
			{0, nil, ""},
			{4 * time.Second, nil, ""},
			{-4 * time.Second, nil, ""},
			{time.Minute, nil, "difference=1m0s"},
			{-time.Hour, nil, "difference=1h0m0s"},
			{time.Hour, errors.New("away"), ""},
		} {
			var log bytes.Buffer
			checkup(t.Context(), shifted{rdb, test.by, test.err}, slog.New(slog.NewTextHandler(&log, nil)))
			if test.says == "" {
				assert.Empty(t, log.String(), test.by)
				continue
			}
			assert.Contains(t, log.String(), test.says)
			assert.Contains(t, log.String(), "NTP")
			assert.Equal(t, 1, strings.Count(log.String(), "\n"))
		}
	})
}

func TestWorkWarnsOfEviction(t *testing.T) {
	t.Parallel()
	for policy, warns := range map[string]bool{"noeviction": false, "allkeys-lru": true, "volatile-lru": true} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartReal(t, "--maxmemory-policy", policy)
			var stdout, stderr bytes.Buffer
			environ := []string{"REDIS_URL=" + s.URL, "QUEUE=a", "INTERVAL=0"}
			require.Equal(t, 0, App{}.Run(t.Context(), []string{"work"}, environ, &stdout, &stderr), stderr.String())
			times := 0
			if warns {
				times = 1
				assert.Contains(t, stderr.String(), `"policy":"`+policy+`"`)
			}
			assert.Equal(t, times, strings.Count(stderr.String(), "set maxmemory-policy to noeviction"), stderr.String())
			assert.NotContains(t, stderr.String(), "clocks")
		})
	}
}

func TestCheckupNamesMissingRights(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--user", "ann", "on", ">w0rd", "~resque:*", "&*", "-@all", "+@read", "+@write", "+@scripting", "+ping", "+time", "+client|setname")
	s.URL = strings.Replace(s.URL, "://", "://ann:w0rd@", 1)
	var log bytes.Buffer
	checkup(t.Context(), store.New(s.Open(t)), slog.New(slog.NewTextHandler(&log, nil)))
	assert.Contains(t, log.String(), `commands="CLIENT LIST, CLIENT TRACKING, INFO, CONFIG GET"`)
}
