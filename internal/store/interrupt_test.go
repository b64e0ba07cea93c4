package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/store"
)

// keysOnly is a Redis without connections, whose Ruby programs write hashes as Ruby 3.4
// does, or as older versions do.
type keysOnly struct {
	store.Redis
	ruby34 bool
}

func (r keysOnly) Key(parts ...string) string { return strings.Join(parts, ":") }

func (r keysOnly) InspectsAsRuby34() bool { return r.ruby34 }

// Otherwise the locks of a scheduler would have other keys than those of its client.
func TestInterruptibleKeepsTheVersionOfRuby(t *testing.T) {
	t.Parallel()
	args := []json.RawMessage{json.RawMessage(`{"a":1}`)}
	for ruby34, key := range map[bool]string{true: `lock:A-[{"a" => 1}]`, false: `lock:A-[{"a"=>1}]`} {
		rdb := keysOnly{ruby34: ruby34}
		assert.Equal(t, key, store.New(rdb).ResqueLock("A", args))
		assert.Equal(t, key, store.New(store.Interruptible(rdb)).ResqueLock("A", args))
	}
}
