package resque

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	tcp := func(where string) address { return address{network: "tcp", where: where} }
	with := func(a address, change func(*address)) address {
		change(&a)
		return a
	}
	local := tcp("localhost:6379")
	for _, c := range []struct {
		name, text string
		want       address
		said       string
	}{
		{"nothing", "", local, "redis://localhost:6379"},
		{"host", "redis.local", tcp("redis.local:6379"), "redis://redis.local:6379"},
		{"host and port", "redis.local:7000", tcp("redis.local:7000"), "redis://redis.local:7000"},
		{"port alone", ":7000", tcp("localhost:7000"), "redis://localhost:7000"},
		{"host, port, db", "h:7000:3", with(tcp("h:7000"), func(a *address) { a.db = 3 }), "redis://h:7000/3"},
		{"namespace", "h:7000/ns", with(tcp("h:7000"), func(a *address) { a.namespace = "ns" }), "redis://h:7000"},
		{"namespace with slash and colon", "h:7000/a/b:c", with(tcp("h:7000"), func(a *address) { a.namespace = "a/b:c" }), "redis://h:7000"},
		{"db and namespace", "h:7000:3/ns", with(tcp("h:7000"), func(a *address) { a.db, a.namespace = 3, "ns" }), "redis://h:7000/3"},
		{"hash-tagged namespace", "h:7000/{resque}", with(tcp("h:7000"), func(a *address) { a.namespace = "{resque}" }), "redis://h:7000"},
		{"IPv6", "[::1]", tcp("[::1]:6379"), "redis://[::1]:6379"},
		{"IPv6, port", "[fe80::2]:7000", tcp("[fe80::2]:7000"), "redis://[fe80::2]:7000"},
		{"IPv6, port, db, namespace", "[::1]:7000:3/ns", with(tcp("[::1]:7000"), func(a *address) { a.db, a.namespace = 3, "ns" }), "redis://[::1]:7000/3"},

		{"URL", "redis://h:7000", tcp("h:7000"), "redis://h:7000"},
		{"URL without a port", "redis://h", tcp("h:6379"), "redis://h:6379"},
		{"URL without a host", "redis:///2", with(local, func(a *address) { a.db = 2 }), "redis://localhost:6379/2"},
		{"URL with a slash", "redis://h/", tcp("h:6379"), "redis://h:6379"},
		{"upper case", "REDIS://h", tcp("h:6379"), "redis://h:6379"},
		{"db by path", "redis://h:7000/15", with(tcp("h:7000"), func(a *address) { a.db = 15 }), "redis://h:7000/15"},
		{"db by path, slash", "redis://h:7000/15/", with(tcp("h:7000"), func(a *address) { a.db = 15 }), "redis://h:7000/15"},
		{"db by query", "redis://h?db=4", with(tcp("h:6379"), func(a *address) { a.db = 4 }), "redis://h:6379/4"},
		{"namespace by query", "redis://h/4?namespace=a%2Fb", with(tcp("h:6379"), func(a *address) { a.db, a.namespace = 4, "a/b" }), "redis://h:6379/4"},
		{"IPv6 URL", "redis://[::1]:7000/1", with(tcp("[::1]:7000"), func(a *address) { a.db = 1 }), "redis://[::1]:7000/1"},
		{"IPv6 zone", "redis://[fe80::1%25eth0]", tcp("[fe80::1%eth0]:6379"), "redis://[fe80::1%25eth0]:6379"},
		{"user and password", "redis://ann:s3cret@h", with(tcp("h:6379"), func(a *address) { a.user, a.password = "ann", "s3cret" }), "redis://ann:xxxxx@h:6379"},
		{"password alone", "redis://:s3cret@h", with(tcp("h:6379"), func(a *address) { a.password = "s3cret" }), "redis://:xxxxx@h:6379"},
		{"password without a colon", "redis://s3cret@h", with(tcp("h:6379"), func(a *address) { a.password = "s3cret" }), "redis://:xxxxx@h:6379"},
		{"user with an empty password", "redis://ann:@h", with(tcp("h:6379"), func(a *address) { a.user = "ann" }), "redis://ann@h:6379"},
		{"escapes", "redis://a%40b:p%25%2F%3A%40%3F%23@h", with(tcp("h:6379"), func(a *address) { a.user, a.password = "a@b", "p%/:@?#" }), "redis://a%40b:xxxxx@h:6379"},
		{"an @ that is not escaped", "redis://:p@ss@h", with(tcp("h:6379"), func(a *address) { a.password = "p@ss" }), "redis://:xxxxx@h:6379"},
		{"TLS", "rediss://:s3cret@h:7000/2", with(tcp("h:7000"), func(a *address) { a.tls, a.password, a.db = true, "s3cret", 2 }), "rediss://:xxxxx@h:7000/2"},
		{"unix", "unix:///var/run/redis.sock", address{network: "unix", where: "/var/run/redis.sock"}, "unix:///var/run/redis.sock"},
		{"unix, user, db, namespace", "unix://ann:s3cret@/r@1.sock?db=2&namespace=ns", address{network: "unix", where: "/r@1.sock", user: "ann", password: "s3cret", db: 2, namespace: "ns"}, "unix:///r@1.sock"},
		{"a path", "/var/run/redis.sock", address{network: "unix", where: "/var/run/redis.sock"}, "unix:///var/run/redis.sock"},
		{"unix with one slash", "unix:/var/run/redis.sock?db=2", address{network: "unix", where: "/var/run/redis.sock", db: 2}, "unix:///var/run/redis.sock"},
		{"a namespace of digits", "h:7000/2", with(tcp("h:7000"), func(a *address) { a.namespace, a.digits = "2", true }), "redis://h:7000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseAddress(c.text)
			require.NoError(t, err, c.text)
			assert.Equal(t, c.want, got, c.text)
			assert.Equal(t, c.said, got.String(), c.text)
			assert.NotContains(t, got.String(), "s3cret")
		})
	}
}

func TestParseAddressRefuses(t *testing.T) {
	t.Parallel()
	const escape = "the URL cannot be parsed (in a user or a password, write % as %25, / as %2F, ? as %3F, # as %23)"
	const schemes = "a URL begins with redis://, rediss:// or unix://, or for several servers with redis-sentinel://, rediss-sentinel://, redis-cluster:// or rediss-cluster://"
	const parameters = "after the ? only db=NUMBER and namespace=NAME are allowed, each once (write user and password before the host, and rediss:// for TLS)"
	for _, c := range []struct{ name, text, says string }{
		{"port", "h:port", "the port is not a number from 1 to 65535"},
		{"port 0", "h:0", "the port is not a number from 1 to 65535"},
		{"large port", "h:65536", "the port is not a number from 1 to 65535"},
		{"port 0 in a URL", "redis://h:0", "the port is not a number from 1 to 65535"},
		{"large port in a URL", "redis://h:99999", "the port is not a number from 1 to 65535"},
		{"db", "h:6379:x", "the database is not a number"},
		{"negative db", "h:6379:-1", "the database is not a number"},
		{"signed db", "redis://h/+1", "the database is not a number"},
		{"db by path", "redis://h/resque", "the database is not a number"},
		{"something behind the db", "redis://h/0/ns", "the database is not a number"},
		{"db by query", "redis://h?db=x", "the database is not a number"},
		{"query", "redis://h?db=%zz", escape},
		{"fragment", "redis://h/0#ns", escape},
		{"scheme", "http://h:6379", schemes},
		{"no scheme", "://h", escape},
		{"unix without a path", "unix://", "unix:// needs an absolute path, as in unix:///var/run/redis.sock"},
		{"unix with half a path", "unix://var/run/redis.sock", "unix:// needs an absolute path, as in unix:///var/run/redis.sock"},
		{"IPv6 without brackets", "::1", "an IPv6 address needs brackets, as in [::1]:6379"},
		{"IPv6 that looks like host and db", "fe80::2", "an IPv6 address needs brackets, as in [::1]:6379"},
		{"line break", "redis://h\n", "it contains a space or a line break"},
		{"blank", " redis://:s3cret@h", "it contains a space or a line break"},
		{"quotes", `"redis://:s3cret@h"`, "it begins or ends with a quote (remove it)"},
		{"port in a URL", "redis://ann:s3cret@h:port/0", "the port is not a number from 1 to 65535"},
		{"password without a host", "redis://ann:s3cret", "the port is not a number from 1 to 65535"},
		{"password by query", "redis://h?password=s3cret", parameters},
		{"verification by query", "rediss://h?ssl_cert_reqs=none", parameters},
		{"db twice", "redis://h?db=1&db=2", parameters},
		{"namespace given but empty", "redis://h?namespace=", parameters},
		{"password in a path", "unix:///:s3cret@/r.sock", "a password goes before the path, as in unix://:password@/var/run/redis.sock"},

		{"password without a URL", "ann:s3cret@h:6379", "a user or a password needs a URL, as in redis://user:password@host:6379"},
		{"password as host", "s3cret@h", "a user or a password needs a URL, as in redis://user:password@host:6379"},
		{"password as port", ":s3cret@h:6379", "a user or a password needs a URL, as in redis://user:password@host:6379"},
		{"password before a slash", "ann:12/s3cret@h", "a user or a password needs a URL, as in redis://user:password@host:6379"},
		{"password and no host, no URL", "ann:s3cret", "the port is not a number from 1 to 65535"},
		{"password as db", "h:6379:s3cret", "the database is not a number"},
		{"password as path", "redis://h/s3cret", "the database is not a number"},
		{"password as db by query", "redis://h?db=s3cret", "the database is not a number"},
		{"percent", "redis://:s3cret%zz@h", escape},
		{"slash in a password", "redis://:s3cret/x@h:6379/0", escape},
		{"digits and a slash in a password", "redis://:12/s3cret@h:6379/0", escape},
		{"a number after that", "redis://:12/5/s3cret@h:6379/0", escape},
		{"question mark in a password", "redis://:12?s3cret@h", escape},
		{"number sign in a password", "redis://:12#s3cret@h", escape},
		{"db in a password", "redis://:12?db=s3cret@h", escape},
		{"scheme in a password", "ann:s3cret@h://x", schemes},
		{"wrong scheme", "redis+s3cret://h", schemes},
		{"unix, slash in a password", "unix://:12/s3cret@/r.sock", "unix:// needs an absolute path, as in unix:///var/run/redis.sock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(RedisConfig{URL: c.text})
			require.ErrorIs(t, err, ErrAddress, c.text)
			require.EqualError(t, err, "resque: not a Redis address: "+c.says, c.text)
			assert.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("redis://ann:", "a", "b", "@h:6379/0?db=3")
	f.Add("rediss://:", "12/", "", "@[::1]:7000")
	f.Add("ann:", "6379", "/x", "@h")
	f.Add("unix://u:", "1?", "#", "@/r.sock?namespace=x")
	f.Add("", "h:6379:1/ns", "", "")
	f.Add("redis://h/", "", "%zz", "")
	f.Add("redis-sentinel://ann:", "", "", "/m")
	f.Add("redis-cluster://h1,", "", ":x", ",h2/0/ns/x")
	f.Add("ann:", "", "", ":x")
	f.Add("redis://h?db=", "", "", "")
	f.Fuzz(func(t *testing.T, before, left, right, after string) {
		const secret = "s3cretW0rd"
		if a, err := parseAddress(before + left + right + after); err == nil {
			assert.NotEmpty(t, a.String())
		}
		if _, err := parseAddress(before + left + secret + right + after); err != nil {
			assert.NotContains(t, err.Error(), secret) // wherever it is: errors do not quote the text
		}
		if strings.ContainsAny(left+right, "@ ") || !strings.HasSuffix(before, ":") || !strings.HasPrefix(after, "@") {
			return // then it may not be a password
		}
		if scheme, rest, ok := strings.Cut(before, "://"); !ok || url.PathEscape(scheme) != scheme || strings.ContainsAny(rest, "/?#@") {
			return // the same
		}
		a, err := parseAddress(before + left + secret + right + after)
		if err != nil {
			assert.NotContains(t, err.Error(), secret)
			return
		}
		assert.NotContains(t, a.String(), secret)
		b, err := parseAddress(before + left + "an0ther" + right + after)
		require.NoError(t, err)
		assert.Equal(t, a.String(), b.String(), "the password must not show")
	})
}
