package cli

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A process and the one that started it both write the file, and a program may read it meanwhile.
func TestPIDFileIsNeverEmpty(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	require.NoError(t, os.WriteFile(file, []byte("1234567"), 0o600))
	require.NoError(t, writePID(file, "4242"))
	var writers sync.WaitGroup
	t.Cleanup(writers.Wait)
	for range 2 {
		writers.Go(func() {
			for range 2000 {
				assert.NoError(t, writePID(file, "4242"))
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		writers.Wait()
	}()
	for {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "4242", string(text))
		select {
		case <-done:
			return
		default:
		}
	}
}
