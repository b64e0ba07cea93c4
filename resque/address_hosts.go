package resque

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// addressKind is what the hosts of an address are.
type addressKind string

// Kinds of addresses. Their texts are the ends of the schemes, as in redis-sentinel://.
const (
	oneServer addressKind = ""
	sentinel  addressKind = "-sentinel"
	cluster   addressKind = "-cluster"
)

// sentinelPort is the default port of a Sentinel.
const sentinelPort = "26379"

func schemeKind(scheme string) addressKind {
	scheme = strings.ToLower(scheme)
	for _, kind := range []addressKind{sentinel, cluster} {
		if scheme == "redis"+string(kind) || scheme == "rediss"+string(kind) {
			return kind
		}
	}
	return oneServer
}

// parseHosts parses a URL with several hosts, without "scheme://". Package net/url reads
// the rest of the URL, with one host instead of the list.
func parseHosts(scheme, rest string) (address, error) {
	end := strings.IndexAny(rest+"/", "/?#")
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndex(authority, "@") + 1
	u, err := url.Parse("redis://" + authority[:at] + "host" + tail)
	if err != nil || strings.Contains(tail, "@") {
		return address{}, errEscape
	}
	query, err := parameters(u)
	if err != nil {
		return address{}, err
	}
	a := address{network: "tcp", kind: schemeKind(scheme), tls: strings.HasPrefix(strings.ToLower(scheme), "rediss")}
	a.user, a.password = credentials(u.User)
	if a.hosts, err = splitHosts(strings.Split(authority[at:], ","), a.kind); err != nil {
		return address{}, err
	}
	return a.withPath(u.Path, query)
}

// splitHosts returns hosts with their ports.
func splitHosts(texts []string, kind addressKind) ([]string, error) {
	port := ""
	if kind == sentinel {
		port = sentinelPort
	}
	hosts := make([]string, len(texts))
	for i, text := range texts {
		host, own, err := net.SplitHostPort(text)
		if err != nil {
			host, own = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), ""
		}
		switch {
		case text == "" || host == "":
			return nil, fmt.Errorf("%w: a host is empty (separate hosts with one comma, as in host1,host2,host3)", ErrAddress)
		case strings.ContainsAny(host, "@/ \t\r\n"), err != nil && strings.Contains(host, ":") && !strings.HasPrefix(text, "["):
			return nil, fmt.Errorf("%w: a host is not valid (write host:port, or [::1]:port for an IPv6 address)", ErrAddress)
		}
		if hosts[i], err = hostPort(host, cmp.Or(own, port)); err != nil {
			return nil, err
		}
	}
	return hosts, nil
}

// withPath reads what follows the hosts: the name of the master for Sentinels, then a
// database and a namespace, which both may be omitted.
func (a address) withPath(path string, query url.Values) (address, error) {
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(part string) bool { return part == "" })
	if a.kind == sentinel {
		if len(parts) == 0 {
			return address{}, fmt.Errorf("%w: the name of the master is missing, as in redis-sentinel://host1,host2,host3/mymaster", ErrAddress)
		}
		a.master, parts = parts[0], parts[1:]
	}
	db := query.Get("db")
	if len(parts) > 0 && strings.Trim(parts[0], "0123456789") == "" {
		db, parts = parts[0], parts[1:]
	}
	if len(parts) > 1 {
		return address{}, fmt.Errorf("%w: the path has more than a database and a namespace", ErrAddress)
	}
	a.namespace = query.Get("namespace")
	if len(parts) == 1 {
		a.namespace = parts[0]
	}
	var err error
	a.db, err = parseDatabase(db)
	if err == nil && a.kind == cluster && a.db != 0 {
		err = fmt.Errorf("%w: a Redis Cluster has only database 0", ErrAddress)
	}
	return a, err
}

// withSentinels returns the address of a master whose name is the host of a, as Ruby's
// Redis.new(url: "redis://mymaster", sentinels: …) does.
func (a address) withSentinels(cfg RedisConfig) (address, error) {
	if len(cfg.Sentinels) == 0 {
		switch {
		case a.kind == sentinel:
		case cfg.SentinelUser != "":
			return address{}, errors.New("resque: SentinelUser needs Sentinels: use a redis-sentinel:// address")
		case cfg.SentinelPassword != "":
			return address{}, errors.New("resque: SentinelPassword needs Sentinels: use a redis-sentinel:// address")
		}
		return a, nil
	}
	if cfg.URL == "" || a.kind != oneServer || a.network != "tcp" {
		return address{}, errors.New("resque: Sentinels needs a URL whose host is the name of the master, such as redis://mymaster (or name the Sentinels in a redis-sentinel:// URL only)")
	}
	a.kind = sentinel
	a.master, _, _ = net.SplitHostPort(a.where)
	a.where = ""
	var err error
	if a.hosts, err = splitHosts(cfg.Sentinels, sentinel); err != nil {
		return address{}, fmt.Errorf("resque: Sentinels: %w", err)
	}
	return a, nil
}

// checkNamespace returns an error if a cluster would distribute the keys of a namespace
// over its nodes. The part of a key in the first braces decides on which node it is.
func checkNamespace(kind addressKind, namespace string) error {
	if kind != cluster {
		return nil
	}
	_, rest, opened := strings.Cut(namespace, "{")
	if tag, _, closed := strings.Cut(rest, "}"); opened && closed && tag != "" {
		return nil
	}
	right := "{" + strings.NewReplacer("{", "", "}", "").Replace(namespace) + "}"
	return fmt.Errorf("resque: a Redis Cluster needs a namespace with braces, which keep all keys on one node: use %s instead of %s, also in Ruby", strconv.Quote(right), strconv.Quote(namespace))
}
