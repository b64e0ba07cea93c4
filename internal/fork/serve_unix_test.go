//go:build unix

package fork

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The parent may tell a job to end when the child has read it and not begun it.
func TestAJobThatIsToldToEndBeforeItBegins(t *testing.T) {
	t.Parallel()
	s := &server{cause: errStopped}
	s.set(true, nil)
	s.stop(Stop{Returns: true})
	ctx, cancel := context.WithCancelCause(t.Context())
	s.set(true, cancel)
	require.ErrorIs(t, context.Cause(ctx), errStopped)
	assert.True(t, s.isReturned())

	s.set(false, nil)
	s.stop(Stop{Returns: true}) // comes too late
	s.set(true, nil)
	next, cancel := context.WithCancelCause(t.Context())
	s.set(true, cancel)
	require.NoError(t, next.Err(), "the next job is not told to end")
	assert.False(t, s.isReturned())
}

// A process that a job starts must neither keep the pipes open nor take itself for
// a child.
func TestWhatAJobStartsGetsNoPipes(t *testing.T) {
	t.Parallel()
	f := open(t, Config{})
	report, err := f.slot(t).Perform(t.Context(), nil, f.job("inherits"), noStop)
	require.NoError(t, err)
	assert.Empty(t, report.Error)
	assert.True(t, report.OK)
}
