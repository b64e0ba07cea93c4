package doctor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/doctor"
)

// Each fault of a server is found, and nothing else.
func TestFindingsAboutRedis(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *redistest.Server{
		"R01: jobs may be evicted":   withSettings("--maxmemory-policy", "allkeys-lru"),
		"R02: nothing is saved":      withSettings("--save", ""),
		"R03: an optional replica":   withReplica,
		"R04: little memory is left": withSettings("--maxmemory", "1100000"),
		"R05: an old version":        withOldVersion,
		"R06: a clock that is wrong": func(t *testing.T) *redistest.Server {
			t.Helper()
			p := withSettings()(t).Proxy(t)
			p.SetClock(-10 * time.Second)
			return &redistest.Server{URL: p.URL}
		},
		"R07: a short timeout":               withSettings("--timeout", "10"),
		"R08: clients that cannot be listed": withSettings("--user", "default", "on", "nopass", "~*", "&*", "+@all", "-client|list"),
		"R09: a slow script":                 withSlowScript,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, _ := strings.Cut(name, ": ")
			client := start(t).Client(t)
			assert.Equal(t, []string{code}, found(t, client))
			fixed, err := doctor.Fix(t.Context(), client, doctor.Options{})
			require.NoError(t, err)
			assert.Empty(t, fixed)
		})
	}
}

// withSettings starts a server without a fault, except for settings. It notes no slow
// commands: on a busy machine there are some.
func withSettings(settings ...string) func(t *testing.T) *redistest.Server {
	return func(t *testing.T) *redistest.Server {
		t.Helper()
		return redistest.StartReal(t, append([]string{"--save", "3600 1", "--slowlog-log-slower-than", "-1"}, settings...)...)
	}
}

func withReplica(t *testing.T) *redistest.Server {
	t.Helper()
	s := withSettings()(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "redis://"), ":")
	redistest.StartReal(t, "--replicaof", "127.0.0.1", port)
	c := s.Conn(t)
	require.Eventually(t, func() bool {
		info, err := redis.String(c.Do("INFO", "replication"))
		return err == nil && strings.Contains(info, "connected_slaves:1")
	}, time.Minute, time.Millisecond)
	return s
}

func withOldVersion(t *testing.T) *redistest.Server {
	t.Helper()
	s := withSettings()(t)
	info, err := redis.String(s.Conn(t).Do("INFO", "server"))
	require.NoError(t, err)
	_, version, _ := strings.Cut(info, "redis_version:")
	p := s.Proxy(t)
	p.Replace("redis_version:"+version[:2], "redis_version:5.")
	return &redistest.Server{URL: p.URL}
}

func withSlowScript(t *testing.T) *redistest.Server {
	t.Helper()
	s := withSettings()(t)
	do := doer(t, s.Conn(t))
	const script = `local function now() local t = redis.call('TIME'); return t[1] * 1000 + t[2] / 1000 end
		local began = now()
		while now() - began < 100 do end`
	do("CONFIG", "SET", "slowlog-log-slower-than", 50_000)
	do("EVAL", script, 1, "resque:x")
	do("CONFIG", "SET", "slowlog-log-slower-than", -1)
	return s
}

// A user without rights gets the checks that are possible, and the report names the others.
func TestUncheckedIsNamed(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t, "--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config", "-info", "-slowlog")
	report, err := doctor.Check(t.Context(), s.Client(t), doctor.Options{})
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	var codes []string
	for _, u := range report.Unchecked {
		assert.Contains(t, u.Reason, "NOPERM")
		codes = append(codes, u.Codes...)
	}
	slices.Sort(codes)
	assert.Equal(t, []string{"R01", "R02", "R03", "R04", "R05", "R07", "R09"}, codes)
}
