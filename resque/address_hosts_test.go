package resque

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseAddressOfSeveralServers(t *testing.T) {
	t.Parallel()
	three := []string{"h1:26379", "h2:7000", "[::1]:26379"}
	for _, c := range []struct {
		text string
		want address
		said string
	}{
		{
			"redis-sentinel://h1,h2:7000,[::1]/mymaster",
			address{network: "tcp", kind: sentinel, hosts: three, master: "mymaster"},
			"redis-sentinel://h1:26379,h2:7000,[::1]:26379/mymaster",
		},
		{
			"rediss-sentinel://ann:s3cr%2Fet@h1,h2:7000,[::1]:26379/my.master/3/ns",
			address{network: "tcp", kind: sentinel, tls: true, user: "ann", password: "s3cr/et", hosts: three, master: "my.master", db: 3, namespace: "ns"},
			"rediss-sentinel://ann:xxxxx@h1:26379,h2:7000,[::1]:26379/my.master/3",
		},
		{
			"redis-sentinel://h1/mymaster/ns",
			address{network: "tcp", kind: sentinel, hosts: three[:1], master: "mymaster", namespace: "ns"},
			"redis-sentinel://h1:26379/mymaster",
		},
		{
			"REDIS-SENTINEL://h1/mymaster?db=2&namespace=a%2Fb",
			address{network: "tcp", kind: sentinel, hosts: three[:1], master: "mymaster", db: 2, namespace: "a/b"},
			"redis-sentinel://h1:26379/mymaster/2",
		},
		{
			"redis-cluster://:s3cret@h1,h2:7000/{resque}",
			address{network: "tcp", kind: cluster, password: "s3cret", hosts: []string{"h1:6379", "h2:7000"}, namespace: "{resque}"},
			"redis-cluster://:xxxxx@h1:6379,h2:7000",
		},
		{
			"rediss-cluster://h1/0/{resque}",
			address{network: "tcp", kind: cluster, tls: true, hosts: []string{"h1:6379"}, namespace: "{resque}"},
			"rediss-cluster://h1:6379",
		},
	} {
		got, err := parseAddress(c.text)
		require.NoError(t, err, c.text)
		assert.Equal(t, c.want, got, c.text)
		assert.Equal(t, c.said, got.String(), c.text)
	}
}

func TestParseAddressOfSeveralServersRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"redis-sentinel://h1,h2":                    "the name of the master is missing, as in redis-sentinel://host1,host2,host3/mymaster",
		"redis-sentinel://h1,,h2/mymaster":          "a host is empty",
		"redis-sentinel:///mymaster":                "a host is empty",
		"redis-sentinel://::1/mymaster":             "write host:port, or [::1]:port",
		"redis-sentinel://h1:x/mymaster":            "the port is not a number",
		"redis-sentinel://h1/mymaster/0/ns/more":    "the path has more than a database and a namespace",
		"redis-sentinel://:s3cret/x@h1/mymaster":    "the URL cannot be parsed",
		"redis-sentinel://:s3cret%zz@h1/mymaster":   "the URL cannot be parsed",
		"redis-sentinel://h1/mymaster?password=s3c": "only db=NUMBER and namespace=NAME are allowed",
		"redis-sentinel://ann:s3cret/m":             "the port is not a number",
		"redis-sentinel://h1/m/0/s3cret/x":          "the path has more than",
		"redis-cluster://ann:s3cret/x/y":            "the port is not a number",
		"redis-cluster://ann:s3cret,h2/x":           "the port is not a number",
		"redis-cluster://h1/3":                      "a Redis Cluster has only database 0",
		"redis-cluster://h1?db=3":                   "a Redis Cluster has only database 0",
	} {
		_, err := parseAddress(text)
		require.ErrorIs(t, err, ErrAddress, text)
		assert.Contains(t, err.Error(), says, text)
		assert.NotContains(t, err.Error(), "s3c", text)
	}
}

func TestOpenChecksSentinelsAndClusters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  RedisConfig
		says string // empty: no error
	}{
		{RedisConfig{URL: "redis://ann:s3cret@mymaster/2", Sentinels: []string{"h1", "h2:7000"}}, ""},
		{RedisConfig{Sentinels: []string{"h1"}}, "a URL whose host is the name of the master, such as redis://mymaster"},
		{RedisConfig{URL: "redis-sentinel://h1/mymaster", Sentinels: []string{"h1"}}, "a URL whose host is the name of the master"},
		{RedisConfig{URL: "/r.sock", Sentinels: []string{"h1"}}, "a URL whose host is the name of the master"},
		{RedisConfig{URL: "redis://mymaster", Sentinels: []string{"h1", ""}}, "a host is empty"},
		{RedisConfig{URL: "redis://h1", SentinelPassword: "x"}, "use a redis-sentinel:// address"},
		{RedisConfig{URL: "redis-cluster://h1/{resque}"}, ""},
		{RedisConfig{URL: "redis-cluster://h1", Namespace: "app{jobs}x"}, ""},
		{RedisConfig{URL: "redis-cluster://h1"}, `use "{resque}" instead of "resque", also in Ruby`},
		{RedisConfig{URL: "redis-cluster://h1/app:jobs"}, `use "{app:jobs}" instead of "app:jobs"`},
		{RedisConfig{URL: "redis-cluster://h1", Namespace: "{}jobs"}, `use "{jobs}" instead of "{}jobs"`},
	} {
		rdb, err := Open(c.cfg)
		if c.says == "" {
			require.NoError(t, err)
			require.NoError(t, rdb.Close())
			continue
		}
		require.Error(t, err, c.says)
		assert.Contains(t, err.Error(), c.says)
	}
	rdb, err := Open(RedisConfig{URL: "rediss://ann:s3cret@mymaster/2", Sentinels: []string{"h1", "h2:7000"}})
	require.NoError(t, err)
	assert.Equal(t, "rediss-sentinel://ann:xxxxx@h1:26379,h2:7000/mymaster/2", rdb.String())
}
