package resque_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		for _, command := range [][]any{
			{"SADD", "resque:queues", "a", "b", "broken", "empty"},
			{"RPUSH", "resque:queue:a", `{"class":"A","args":[1],"enqueued_at":60}`, `{"class":"B"}`},
			{"RPUSH", "resque:queue:b", `nonsense`},
			{"SET", "resque:queue:broken", "no list"},
			{"SET", "resque:pause:queue:b", "1"},
			{"RPUSH", "resque:failed", `{}`, `{}`},
			{"SADD", "resque:failed_queues", "a_failed"},
			{"RPUSH", "resque:a_failed", `{}`},
			{"MSET", "resque:stat:processed", 7, "resque:stat:failed", 2, "resque:pause-all-workers", "true"},
			{"SADD", "resque:workers", "host:1:a", "host~go:2-3:a,b"},
			{"SET", "resque:worker:host:1:a", `{"queue":"a","run_at":"2026-01-15T12:00:00Z","payload":{"class":"A","args":[]}}`},
			{"HSET", "resque:persistent_schedules", "nightly", "{}"},
			{"ZADD", "resque:delayed_queue_schedule", 1768480796, 1768480796, 1768480700, 1768480700},
			{"HSET", "resque:workers:heartbeat", "host~go:2-3:a,b", time.Now().UTC().Format(time.RFC3339), "gone:9:a", "2026-01-01T00:00:00Z"},
		} {
			_, err := c.Do(command[0].(string), command[1:]...)
			require.NoError(t, err)
		}
		snap, err := client.Snapshot(t.Context())
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), snap.Now, time.Minute)
		assert.True(t, snap.Paused)
		assert.Equal(t, int64(7), snap.Processed)
		assert.Equal(t, int64(2), snap.Failed)
		assert.Equal(t, int64(2), snap.Delayed)
		assert.True(t, snap.Schedules)
		assert.Equal(t, int64(1768480700), snap.NextDue.Unix())
		assert.Equal(t, []resque.FailureListSize{{List: "failed", Size: 2}, {List: "a_failed", Size: 1}}, snap.Failures)

		require.Len(t, snap.Queues, 4)
		a, b := snap.Queues[0], snap.Queues[1]
		require.NotNil(t, a.Next)
		at, ok := a.Next.WaitingSince()
		assert.True(t, ok)
		assert.Equal(t, int64(60), at.Unix())
		assert.Equal(t, "A", a.Next.Class)
		require.NotNil(t, b.Next)
		assert.Equal(t, `nonsense`, string(b.Next.Raw))
		require.ErrorContains(t, snap.Queues[2].Err, "resque:queue:broken")
		a.Next, b.Next, snap.Queues[2].Err = nil, nil, nil
		assert.Equal(t, []resque.QueueState{{Queue: "a", Size: 2, NextSize: a.NextSize}, {Queue: "b", Size: 1, Paused: true, NextSize: int64(len("nonsense"))}, {Queue: "broken"}, {Queue: "empty"}},
			[]resque.QueueState{a, b, snap.Queues[2], snap.Queues[3]})

		require.Len(t, snap.Workers, 3)
		gone, ruby, ours := snap.Workers[0], snap.Workers[1], snap.Workers[2]
		assert.Equal(t, []string{"gone:9:a", "host:1:a", "host~go:2-3:a,b"}, []string{gone.ID, ruby.ID, ours.ID})
		assert.Greater(t, gone.Silence, 24*time.Hour)
		assert.True(t, ruby.Working)
		assert.True(t, ruby.Heartbeat.IsZero())
		assert.True(t, ours.Go)
		assert.False(t, ours.Working)
	})
}

func TestSnapshotOfNothing(t *testing.T) {
	t.Parallel()
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	require.NoError(t, err)
	_, err = client.Snapshot(t.Context())
	require.ErrorContains(t, err, "inline")
	snap, err := redistest.StartEmbedded(t).Client(t).Snapshot(t.Context())
	require.NoError(t, err)
	assert.Empty(t, snap.Queues)
	assert.Empty(t, snap.Workers)
	assert.Zero(t, snap.Delayed)
	assert.False(t, snap.Schedules)
	assert.Zero(t, snap.NextDue)
	assert.Equal(t, []resque.FailureListSize{{List: "failed"}}, snap.Failures)
}
