package resque_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

func TestClientSpellsByItsProfile(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	at := time.Date(2026, 1, 15, 12, 34, 56, 789123456, time.UTC)
	for profile, want := range map[resque.JSONProfile]string{
		resque.JSONPlain:    `{"class":"A<b>","args":["&",1.0e+20,"2026-01-15T12:34:56.789123456Z"]}`,
		resque.JSONRails:    `{"class":"A\u003cb\u003e","args":["\u0026",1.0e+20,"2026-01-15T12:34:56.789Z"]}`,
		resque.JSONPlain215: `{"class":"A<b>","args":["&",1e+20,"2026-01-15T12:34:56.789123456Z"]}`,
		resque.JSONRails215: `{"class":"A\u003cb\u003e","args":["\u0026",1e+20,"2026-01-15T12:34:56.789Z"]}`,
	} {
		t.Run(profile.String(), func(t *testing.T) {
			t.Parallel()
			job := resque.Job{Queue: profile.String(), Class: "A<b>", Args: []any{"&", 1e20, at}}
			rdb := server.Open(t)
			client, err := resque.New(rdb, resque.Config{JSON: profile})
			require.NoError(t, err)
			_, err = client.Enqueue(t.Context(), job)
			require.NoError(t, err)
			got, err := redis.Strings(server.Conn(t).Do("LRANGE", rdb.Key("queue", job.Queue), 0, -1))
			require.NoError(t, err)
			assert.Equal(t, []string{want}, got)

			var payload string
			client, err = resque.New(nil, resque.Config{
				JSON: profile,
				Inline: resque.HandlerFunc(func(_ context.Context, r *resque.Payload) error {
					payload = string(r.Raw)
					return nil
				}),
			})
			require.NoError(t, err)
			_, err = client.Enqueue(t.Context(), job)
			require.NoError(t, err)
			assert.Equal(t, want, payload, "inline")
		})
	}
}

func TestOnlyRailsWritesNullForNaN(t *testing.T) {
	t.Parallel()
	for profile, want := range map[resque.JSONProfile]string{
		resque.JSONPlain: "", resque.JSONPlain215: "",
		resque.JSONRails: `{"class":"J","args":[null]}`, resque.JSONRails215: `{"class":"J","args":[null]}`,
	} {
		got, err := profile.AppendPayload([]byte("x"), resque.Job{Class: "J", Args: []any{math.NaN()}})
		if want == "" {
			require.EqualError(t, err, "resque: J: argument 1: NaN not allowed in JSON", profile)
		} else {
			require.NoError(t, err, profile)
		}
		assert.Equal(t, "x"+want, string(got), "what was there stays, also after an error")
	}
}

func TestUnknownProfile(t *testing.T) {
	t.Parallel()
	_, err := resque.New(nil, resque.Config{JSON: 9, Inline: resque.NewMux()})
	require.EqualError(t, err, "resque: unknown JSON profile: JSONProfile(9)")
	_, err = resque.JSONProfile(9).AppendPayload(nil, resque.Job{Class: "J"})
	require.EqualError(t, err, "resque: unknown JSON profile: JSONProfile(9)")
}
