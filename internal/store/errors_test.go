package store_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/store"
)

func TestUnsupported(t *testing.T) {
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
	assert.False(t, store.Unsupported(errors.New("ERR unknown command")), "not Redis's")
	assert.False(t, store.Unsupported(nil))
}
