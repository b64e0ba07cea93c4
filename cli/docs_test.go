package cli_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

func TestVerbosity(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ string
		detail  bool
	}{
		{"NOTHING=1", false},
		{"VERBOSE=1", false},
		{"LOGGING=true", false},
		{"VVERBOSE=1", true},
		{"VVERBOSE=false", true}, // Ruby only checks whether it is set
		{"VVERBOSE=", false},
	} {
		t.Run(test.environ, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			environ := []string{"REDIS_URL=" + s.URL, "QUEUE=a", "INTERVAL=0", test.environ}
			require.Equal(t, 0, run(t, nil, environ, "enqueue", "-q", "a", "Nope", "secret").status)
			got := run(t, nil, environ, "work")
			require.Equal(t, 0, got.status, got.stderr)
			assert.Contains(t, got.stderr, `"msg":"job failed","class":"Nope"`)
			assert.Equal(t, test.detail, strings.Contains(got.stderr, `"level":"DEBUG","msg":"job started","class":"Nope"`), got.stderr)
			assert.Equal(t, test.detail, strings.Contains(got.stderr, `"level":"DEBUG","msg":"looked for jobs","queues":1,"found":1`), got.stderr)
			assert.NotContains(t, got.stderr, "secret", "never arguments")
		})
	}
}

// In JSON, a duration is a number of seconds.
func TestDurationsAreSecondsInJSON(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	environ := []string{"REDIS_URL=" + s.URL, "QUEUE=a", "INTERVAL=0"}
	require.Equal(t, 0, run(t, nil, environ, "enqueue", "-q", "a", "Nope").status)
	got := run(t, nil, environ, "work")
	found := regexp.MustCompile(`"msg":"job failed".*"duration":([0-9.e-]+)`).FindStringSubmatch(got.stderr)
	require.NotNil(t, found, got.stderr)
	seconds, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err)
	assert.Less(t, seconds, 60.0)
}
