package resque

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMasterOfSlot(t *testing.T) {
	t.Parallel()
	node := func(host any, port int64) any { return []any{host, port, []byte("id")} }
	ranges := []any{
		[]any{int64(0), int64(99), node([]byte("10.0.0.1"), 7000), node([]byte("10.0.0.2"), 7000)},
		[]any{int64(100), int64(199), node(nil, 7001)}, // the address at which it was asked
		[]any{int64(200), int64(299), node([]byte(""), 7002)},
		[]any{int64(300)},
		"damaged",
	}
	for slot, want := range map[int]string{0: "10.0.0.1:7000", 99: "10.0.0.1:7000", 100: "asked:7001", 299: "asked:7002", 300: ""} {
		where, all := masterOf(slot, ranges, "asked:6379")
		assert.Equal(t, want, where, slot)
		assert.Equal(t, []string{"10.0.0.1:7000", "10.0.0.2:7000", "asked:7001", "asked:7002"}, all)
	}
}
