//go:build unix

package fork

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The parent may stop a job that the child has read but not begun.
func TestAJobMayBeStoppedBeforeItBegins(t *testing.T) {
	t.Parallel()
	s := &server{cause: func(string) error { return errStopped }}
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
	require.NoError(t, next.Err(), "the next job is not stopped")
	assert.False(t, s.isReturned())
}

// A process that a job starts must not keep the pipes open, and IsChild must be false in
// it.
func TestProcessesOfAJobDoNotInheritThePipes(t *testing.T) {
	t.Parallel()
	f := open(t, Config{})
	report, err := f.slot(t).Perform(t.Context(), nil, f.job("inherits"), noStop)
	require.NoError(t, err)
	assert.Empty(t, report.Error)
	assert.True(t, report.OK)
}
