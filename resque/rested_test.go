package resque

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// deaf is a connection that counts what it is asked.
type deaf struct {
	redis.ConnWithContext
	asked int
	err   error
}

func (d *deaf) DoContext(context.Context, string, ...any) (any, error) {
	d.asked++
	return "PONG", d.err
}

func TestRested(t *testing.T) {
	t.Parallel()
	var r rested
	now := time.Now()
	standing := &deaf{}
	require.NoError(t, r.test(t.Context(), standing, now))
	assert.Zero(t, standing.asked, "it was used just now")
	require.NoError(t, r.test(t.Context(), standing, now.Add(-time.Minute)))
	assert.Equal(t, 1, standing.asked)
	repeatable := store.Repeatable(t.Context())
	require.NoError(t, r.test(repeatable, standing, now.Add(-5*time.Second)))
	assert.Equal(t, 1, standing.asked, "its caller repeats the call")
	require.NoError(t, r.test(repeatable, standing, now.Add(-time.Minute)))
	assert.Equal(t, 2, standing.asked)

	first, second := &deaf{err: os.ErrDeadlineExceeded}, &deaf{err: os.ErrDeadlineExceeded}
	require.ErrorIs(t, r.test(t.Context(), first, now.Add(-time.Minute)), os.ErrDeadlineExceeded)
	require.ErrorIs(t, r.test(t.Context(), second, now.Add(-time.Minute)), errRestedWithDead)
	require.ErrorIs(t, r.test(t.Context(), second, now), errRestedWithDead, "it may have died since")
	assert.Zero(t, second.asked, "the first one spoke for it")
	require.NoError(t, r.test(t.Context(), standing, time.Now().Add(time.Millisecond)), "used since")
}
