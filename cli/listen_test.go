package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestListenAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:1": "127.0.0.1:1", ":1": ":1", "[::1]:1": "[::1]:1", "h:1": "h:1",
		"127.0.0.1": "127.0.0.1:5678", "::1": "[::1]:5678", "[::1]": "[::1]:5678", "h": "h:5678", "80": "127.0.0.1:80",
	} {
		assert.Equal(t, want, listenAddress(addr, "5678"), addr)
	}
}
