package resque

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestParseServer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Server{
		"# Server\r\nredis_version:7.0.15\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\n" +
			"slave0:ip=10.0.0.2,port=6379,state=online,offset=4242,lag=0\r\nslave1:ip=10.0.0.3,port=6379,state=online,offset=4000,lag=3\r\n" +
			"slave_expires_tracked_keys:0\r\n": {Name: "redis", Version: "7.0.15", Role: "master", Replicas: 2, Lag: 3 * time.Second},
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nrole:slave\r\nslave_read_only:1\r\n": {Name: "valkey", Version: "8.1.1", Role: "slave"},
		"# Clients\r\nconnected_clients:1\r\n": {Name: "redis"},
	} {
		assert.Equal(t, want, parseServer(text))
	}
}
