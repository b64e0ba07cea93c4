package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

func startForRetries(t *testing.T) *redistest.Server {
	t.Helper()
	redistest.Require(t, "resque-retry", has("resque-retry", "resque"))
	return redistest.StartReal(t)
}

// tryInGo performs one job of the queue shared and returns the number of its attempt, as
// Ruby counts it.
func tryInGo(t *testing.T, s *redistest.Server, fails error) int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	number := int64(-1)
	mux := resque.NewMux()
	mux.HandleFunc("Shared", func(ctx context.Context, _ *resque.Payload) error {
		cancel() // take no other job
		state, err := retry.Attempt(ctx)
		assert.NoError(t, err)
		number = state.Attempt - 1
		return fails
	}, retry.Policy{Limit: 6, Record: retry.LastOnly})
	w, err := worker.New(s.Client(t), mux, worker.Config{Queues: []string{"shared"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, w.WorkOff(ctx))
	return number
}

func tryInRuby(t *testing.T, s *redistest.Server, succeeds bool) int64 {
	t.Helper()
	env := []string{"FORK_PER_JOB=false"}
	if succeeds {
		env = append(env, "SUCCEED=1")
	}
	attempts := reply[[]int64](t, rubyWith(t, s, env, "retry.rb"))
	require.Len(t, attempts, 1)
	return attempts[0]
}

// Ruby and Go take turns with the attempts of a job, and agree on their number and on the
// last one, whichever worker has it.
func TestRubyAndGoAlternateAttempts(t *testing.T) {
	t.Parallel()
	boom := errors.New("failed in Go")
	for name, turns := range map[string]string{
		"Ruby begins and ends": "RGRGRGR", "Go begins and ends": "GRGRGRG", "Ruby gives up": "GGGGGGR", "Go gives up": "RRRRRRG",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startForRetries(t)
			c := s.Conn(t)
			const payload = `{"class":"Shared","args":[1.0,["é\u2028",null],{"a":[1e20,"\"#{}"]}],"x":"1"}`
			_, err := c.Do("RPUSH", "resque:queue:shared", payload)
			require.NoError(t, err)
			for attempt, who := range turns {
				waiting, err := redis.Int(c.Do("LLEN", "resque:queue:shared"))
				require.NoError(t, err)
				require.Equal(t, 1, waiting, "before attempt %d", attempt)
				if who == 'R' {
					require.EqualValues(t, attempt, tryInRuby(t, s, false), "by Ruby")
				} else {
					require.EqualValues(t, attempt, tryInGo(t, s, boom), "by Go")
				}
			}
			failed, err := redis.Strings(c.Do("LRANGE", "resque:failed", 0, -1))
			require.NoError(t, err)
			require.Len(t, failed, 1, "only the last attempt is recorded")
			last := map[byte]string{'R': "failed in Ruby", 'G': "failed in Go"}[turns[6]]
			assert.Contains(t, failed[0], last)
			keys, err := redis.Strings(c.Do("KEYS", "*retry*"))
			require.NoError(t, err)
			assert.Empty(t, keys)
		})
	}
}

// A success of either forgets the attempts of the other.
func TestSuccessForgetsTheOthersAttempts(t *testing.T) {
	t.Parallel()
	for _, turns := range []string{"RG", "GR"} {
		s := startForRetries(t)
		c := s.Conn(t)
		_, err := c.Do("RPUSH", "resque:queue:shared", `{"class":"Shared","args":[7]}`)
		require.NoError(t, err)
		if turns == "RG" {
			tryInRuby(t, s, false)
			assert.EqualValues(t, 1, tryInGo(t, s, nil))
		} else {
			tryInGo(t, s, errors.New("x"))
			assert.EqualValues(t, 1, tryInRuby(t, s, true))
		}
		keys, err := redis.Strings(c.Do("KEYS", "*retry*"))
		require.NoError(t, err)
		assert.Empty(t, keys, turns)
	}
}

// The keys of any arguments are those of this Ruby, up to 3.3.
func TestRetryKeysOfArguments(t *testing.T) {
	t.Parallel()
	s := startForRetries(t)
	if run(t, nil, "ruby", "-e", `print({1 => 2}.to_s)`) != "{1=>2}" {
		t.Skip("Ruby 3.4 inspects hashes in another way")
	}
	var texts strings.Builder
	texts.WriteString("[")
	lists := []string{
		`[]`, `[null]`, `[[],[]]`, `[1,[2,[],[3]],""]`, `[-0,-0.0,1.5e300,1E-5,123456789012345678901234567890,1e400,-1e400]`,
		`[{"a":1,"b":{},"a":[]}]`, `[{"nil":null,"t":true,"n":-1.0e2,"s":"#{x} #$y #@z # \u0000\u001b\u007f\u0085\u00a0\u200b\ue000"}]`,
		`[{"𝒳":"\ud83e\udd80 \u0378"}]`, `["  white\t space\n"]`, `[{"\n":"\r\f\b\u000b\u0007"}]`,
	}
	texts.WriteString(strings.Join(lists, ",") + "]")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // the machine may be busy
	defer cancel()
	cmd := exec.CommandContext(ctx, "ruby", filepath.Join("testdata", "retry.rb"), "keys")
	cmd.Env = append(cmd.Environ(), "REDIS_URL="+s.URL)
	cmd.Stdin = strings.NewReader(texts.String())
	out, err := cmd.Output()
	require.NoError(t, err)
	want := reply[[]string](t, string(out))
	require.Len(t, want, len(lists))
	c := s.Conn(t)
	for i, list := range lists {
		var args []json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(list), &args), list)
		_, err := c.Do("RPUSH", "resque:queue:shared", `{"class":"Shared","args":`+list+`}`)
		require.NoError(t, err)
		tryInGo(t, s, errors.New("x"))
		exists, err := redis.Int(c.Do("EXISTS", "resque:"+want[i]))
		require.NoError(t, err)
		assert.Equal(t, 1, exists, "%s", list)
		_, err = c.Do("DEL", "resque:"+want[i], "resque:queue:shared")
		require.NoError(t, err)
	}
}
