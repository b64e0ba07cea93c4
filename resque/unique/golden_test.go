package unique_test

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

// policies are those of the recorded classes, by plugin.
func policies() map[string]map[string]unique.Policy {
	return map[string]map[string]unique.Policy{
		"lock":  {"Locked": {}},
		"loner": {"Uniq": {Style: unique.Loner}, "UniqTtl": {Style: unique.Loner, For: 40 * time.Second}},
		"lock_timeout": {
			"Locked": {Style: unique.LockTimeout}, "Loner": {Style: unique.LockTimeoutLoner},
			"TimedLoner": {Style: unique.LockTimeoutLoner, For: time.Minute},
		},
		"uniqueness": {"Uniq": {Style: unique.Uniqueness}, "Both": {Style: unique.Uniqueness, Until: unique.Done}},
	}
}

// skipped are the recorded calls of Resque.enqueue that nothing in goresque corresponds to.
func skipped() map[string]string {
	return map[string]string{
		"enqueue_symbol_args": "arguments are JSON, so there are no symbols",
		"enqueue_expiry_edge": "the lock ends in the second of the call, which may be over before the call",
		"custom_key":          "the key of a class cannot be replaced: By selects arguments",
		"none":                "a class without a policy",
		"custom":              "classes do not share locks",
	}
}

// The recorded calls of Resque.enqueue queue and refuse the same jobs, and leave the same
// locks. Only the expiries differ.
func TestEnqueueDoesWhatThePluginsDo(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`^Resque\.enqueue\((\w+), ([^:{}]*)\)( #.*)?$`)
	replayed := 0
	for plugin, classes := range policies() {
		for _, r := range golden.Family(t, "lock-"+plugin) {
			m := call.FindStringSubmatch(r.Call)
			if !strings.HasPrefix(r.Call, "Resque.enqueue(") || skipped()[r.Name] != "" {
				continue
			}
			require.NotNil(t, m, r.Call)
			p, ok := classes[m[1]]
			require.True(t, ok, "%s %s", plugin, r.Call)
			replayed++
			t.Run(plugin+" "+r.Name, func(t *testing.T) {
				t.Parallel()
				redistest.Both(t, func(t *testing.T, s *redistest.Server) { replay(t, s, r, p, m[1], m[2]) })
			})
		}
	}
	assert.Equal(t, 14, replayed)
}

func replay(t *testing.T, s *redistest.Server, r golden.Recording, p unique.Policy, class, args string) {
	t.Helper()
	c := s.Conn(t)
	for key, value := range r.KeysBefore {
		if text, ok := value.Value.(string); ok {
			_, err := c.Do("SET", key, moved(text, r.Now))
			require.NoError(t, err)
		}
	}
	var given []any
	require.NoError(t, json.Unmarshal([]byte("["+args+"]"), &given))
	for i, arg := range given {
		if n, ok := arg.(float64); ok {
			given[i] = int(n)
		}
	}
	mux := resque.NewMux()
	mux.HandleFunc(class, nothing, p)
	route, _ := mux.Route(class)
	receipt, err := s.Client(t).Enqueue(t.Context(), route.Job(given...).To("work"))
	require.NoError(t, err)

	pushed, err := redis.Strings(c.Do("LRANGE", "resque:queue:work", 0, -1))
	require.NoError(t, err)
	want := r.Pushed()
	assert.Equal(t, len(want) > 0, receipt.State == resque.Queued)
	assert.Equal(t, len(want) == 0, receipt.State == resque.Duplicate)
	assert.ElementsMatch(t, want, pushed)
	var locks []string
	for key, value := range r.KeysAfter {
		if _, ok := value.Value.(string); ok {
			locks = append(locks, strings.TrimPrefix(key, "resque:"))
		}
	}
	assert.ElementsMatch(t, locks, lockKeys(t, c))
}

// moved returns a text in which a time is as far from now as it was from the recorded now.
func moved(text string, recorded time.Time) string {
	second, err := strconv.ParseInt(text, 10, 64)
	if err != nil || second < 1e9 {
		return text
	}
	return strconv.FormatInt(time.Now().Unix()+second-recorded.Unix(), 10)
}
