package resque

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// Server describes the Redis server that takes the writes.
type Server struct {
	Name    string // "redis", or "valkey"
	Version string
	Role    string // "master", or "slave", which is Redis's word for a replica

	// Replicas is the number of connected replicas, and Lag the longest time since one of
	// them has acknowledged what it received, in whole seconds.
	Replicas int64
	Lag      time.Duration
}

// Server returns what the server says of itself. ok is false if the user may not ask
// (the command INFO), as on some hosted servers.
func (c *Client) Server(ctx context.Context) (server Server, ok bool, err error) {
	text, err := c.store.Info(ctx)
	if store.Unsupported(err) {
		return Server{}, false, nil
	}
	if err != nil {
		return Server{}, false, err
	}
	return parseServer(text), true, nil
}

// parseServer reads the reply of INFO.
func parseServer(text string) Server {
	fields := map[string]string{}
	s := Server{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields[name] = value
		number, isReplica := strings.CutPrefix(name, "slave")
		if _, err := strconv.Atoi(number); !isReplica || err != nil {
			continue // such as slave_expires_tracked_keys
		}
		s.Replicas++
		for part := range strings.SplitSeq(value, ",") {
			if lag, ok := strings.CutPrefix(part, "lag="); ok {
				seconds, _ := strconv.ParseInt(lag, 10, 64)
				s.Lag = max(s.Lag, time.Duration(seconds)*time.Second)
			}
		}
	}
	s.Name, s.Role = cmp.Or(fields["server_name"], "redis"), fields["role"]
	s.Version = cmp.Or(fields[s.Name+"_version"], fields["redis_version"])
	return s
}
