package redistest

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/require"
)

// Monitor records the commands that a redis-server runs, including those of
// scripts. stop ends the recording and returns the commands.
func (s *Server) Monitor(t testing.TB) (stop func() [][]string) {
	t.Helper()
	require.True(t, s.Real, "the embedded server has no MONITOR")
	c := s.Conn(t)
	_, err := c.Do("MONITOR")
	require.NoError(t, err)
	return func() [][]string {
		t.Helper()
		_, err := s.Conn(t).Do("ECHO", "END-OF-MONITOR")
		require.NoError(t, err)
		var commands [][]string
		for {
			line, err := redis.String(c.Receive())
			require.NoError(t, err)
			words := monitorWords(line)
			if len(words) == 2 && words[1] == "END-OF-MONITOR" {
				return commands
			}
			commands = append(commands, words)
		}
	}
}

// Conn returns a connection to s that is closed when the test ends.
func (s *Server) Conn(t testing.TB) redis.Conn {
	t.Helper()
	c, err := redis.DialURLContext(context.WithoutCancel(t.Context()), s.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// monitorWords splits a line such as `1700000000.1 [0 lua] "SET" "a\nb"`.
func monitorWords(line string) []string {
	var words []string
	for _, quoted := range regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).FindAllString(line, -1) {
		word, err := strconv.Unquote(quoted)
		if err != nil {
			word = quoted
		}
		words = append(words, word)
	}
	if len(words) > 0 {
		words[0] = strings.ToLower(words[0])
	}
	return words
}
