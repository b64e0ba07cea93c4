package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An order that comes between the read and the note of the one before is not lost.
func TestFollowOrderKeepsLaterOrders(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, f fixture) {
		ctx, ids := t.Context(), []string{"a~go:1:q", "a~go:2:q"}
		require.NoError(t, f.TakeOrders(ctx, ids, "work"))
		told, err := f.Order(ctx, ids[0], "quiet")
		require.NoError(t, err)
		require.True(t, told)
		read, err := f.Orders(ctx, ids)
		require.NoError(t, err)
		told, err = f.Order(ctx, ids[1], "stop")
		require.NoError(t, err)
		require.True(t, told)
		require.NoError(t, f.FollowOrder(ctx, ids, read, "quiet"))
		orders, err := f.Orders(ctx, ids)
		require.NoError(t, err)
		assert.Equal(t, []string{"quiet", "stop"}, orders)

		f.do(t, "DEL", "resque:goresque:orders")
		require.NoError(t, f.FollowOrder(ctx, ids, []string{"", ""}, "quiet"))
		orders, err = f.Orders(ctx, ids)
		require.NoError(t, err)
		assert.Equal(t, []string{"quiet", "quiet"}, orders)
	})
}
