package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/backoff"
)

func TestNextDoublesUpToFiveSeconds(t *testing.T) {
	t.Parallel()
	var b backoff.Backoff
	length := 50 * time.Millisecond
	for range 12 {
		d := b.Next()
		assert.GreaterOrEqual(t, d, length/2)
		assert.Less(t, d, length)
		length = min(2*length, 5*time.Second)
	}
	assert.Equal(t, 5*time.Second, length)
	b.Reset()
	assert.Less(t, b.Next(), 50*time.Millisecond)
}

func TestNextHasJitter(t *testing.T) {
	t.Parallel()
	lengths := map[time.Duration]bool{}
	for range 20 {
		var b backoff.Backoff
		lengths[b.Next()] = true
	}
	assert.Greater(t, len(lengths), 1)
}

func TestSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		assert.True(t, backoff.Sleep(t.Context(), time.Hour))
		assert.Equal(t, time.Hour, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began = time.Now()
		assert.False(t, backoff.Sleep(ctx, time.Hour))
		assert.Equal(t, time.Minute, time.Since(began))
		var b backoff.Backoff
		assert.False(t, b.Sleep(ctx), "the context has ended")
	})
}
