package store_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/store"
)

func TestUnsupportedIsFalseForTemporaryErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ERR unknown command 'CLIENT'":                                         true,
		"ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.":                  true,
		"NOPERM this user has no permissions to run the 'client|list' command": true,
		"ERR max number of clients reached":                                    false,
		"LOADING Redis is loading the dataset in memory":                       false,
		"BUSY Redis is busy running a script.":                                 false,
		"MASTERDOWN Link with MASTER is down":                                  false,
		"READONLY You can't write against a read only replica.":                false,
		"OOM command not allowed when used memory > 'maxmemory'.":              false,
	} {
		assert.Equal(t, want, store.Unsupported(fmt.Errorf("asking: %w", redis.Error(text))), text)
	}
	assert.False(t, store.Unsupported(io.EOF))
	assert.False(t, store.Unsupported(errors.New("ERR unknown command")), "not an answer of Redis")
	assert.False(t, store.Unsupported(nil))
}

func TestPlainRemovesScriptPositionsAndArguments(t *testing.T) {
	t.Parallel()
	const sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
	for text, want := range map[string]string{
		"OOM command not allowed when used memory > 'maxmemory'. script: " + sha + ", on @user_script:88.":                                    "OOM command not allowed when used memory > 'maxmemory'.",
		"ERR Error running script (call to f_" + sha + "): @user_script:1: WRONGTYPE Operation against a key holding the wrong kind of value": "WRONGTYPE Operation against a key holding the wrong kind of value",
		"ERR Error running script (call to f_" + sha + "): @user_script:1: -READONLY You can't write against a read only replica.":            "READONLY You can't write against a read only replica.",
		"ERR Error running script (call to f_" + sha + "): @user_script:1: @user_script: 1: Unknown Redis command called from Lua script":     "ERR Unknown Redis command called from Lua script",
		"ERR unknown command 'AUTH', with args beginning with: 's3cret' ":                                                                     "ERR unknown command 'AUTH'",
		"ERR something about a script: mine": "ERR something about a script: mine",
	} {
		assert.Equal(t, redis.Error(want), store.Plain(redis.Error(text)), text)
	}
	assert.NoError(t, store.Plain(nil))
	assert.Equal(t, io.EOF, store.Plain(io.EOF))
}

func TestRefusedRecognizesErrorsOfScripts(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		t.Helper()
		st, c := store.New(s.Open(t)), s.Conn(t)
		_, err := c.Do("SET", "resque:queue:q", "not a list")
		require.NoError(t, err)
		_, err = st.ClearQueue(t.Context(), "q", store.Trash{Token: "t"})
		require.Error(t, err)
		assert.True(t, store.Refused(err))
		assert.Regexp(t, `: WRONGTYPE Operation against a key holding the wrong kind of value$`, err.Error())
	})
}
