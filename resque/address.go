package resque

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ErrAddress is wrapped by the error of [Open] if RedisConfig.URL is not a valid address.
var ErrAddress = errors.New("resque: not a Redis address")

// address is a parsed RedisConfig.URL.
type address struct {
	network, where string // the arguments of net.Dial
	tls            bool
	user, password string
	db             int
	namespace      string // empty if the text has none

	// digits reports whether the namespace is a number and may be meant as a database.
	digits bool

	kind   addressKind
	hosts  []string // of Sentinels, or of nodes of a cluster
	master string   // its name, for Sentinels
}

// String returns the address without its password.
func (a address) String() string {
	if a.network == "unix" {
		return "unix://" + a.where
	}
	u := url.URL{Scheme: "redis", Host: a.where}
	if a.tls {
		u.Scheme = "rediss"
	}
	if a.kind != oneServer {
		u.Scheme, u.Host = u.Scheme+string(a.kind), strings.Join(a.hosts, ",")
	}
	switch {
	case a.password != "":
		u.User = url.UserPassword(a.user, "xxxxx")
	case a.user != "":
		u.User = url.User(a.user)
	}
	if a.master != "" {
		u.Path = "/" + a.master
	}
	if a.db != 0 {
		u.Path += "/" + strconv.Itoa(a.db)
	}
	return u.String()
}

// errEscape does not quote the text, because it may contain a password.
var errEscape = fmt.Errorf("%w: the URL cannot be parsed (in a user or a password, write %% as %%25, / as %%2F, ? as %%3F, # as %%23)", ErrAddress)

// parseAddress parses the forms that Ruby's Resque.redis= accepts. Errors never quote
// the text, because any part of it may be a password that was not escaped, or whose host is
// missing.
//
// Ruby: Resque::DataStore and Resque.redis=.
func parseAddress(text string) (address, error) {
	if text == "" {
		text = "localhost:6379"
	}
	switch {
	case strings.ContainsAny(text, " \t\r\n"):
		return address{}, fmt.Errorf("%w: it contains a space or a line break", ErrAddress)
	case strings.ContainsAny(text[:1]+text[len(text)-1:], "\"'"):
		return address{}, fmt.Errorf("%w: it begins or ends with a quote (remove it)", ErrAddress)
	case strings.HasPrefix(text, "/"):
		return address{network: "unix", where: text}, nil
	case strings.Contains(text, "://"), strings.HasPrefix(text, "unix:"):
		return parseURL(text)
	}
	return parseHostPort(text)
}

func parseURL(text string) (address, error) {
	if scheme, rest, _ := strings.Cut(text, "://"); schemeKind(scheme) != oneServer {
		return parseHosts(scheme, rest)
	}
	u, err := url.Parse(text)
	if err != nil && strings.HasPrefix(text, "redis") && portIsWrong(text) {
		return address{}, fmt.Errorf("%w: the port is not a number from 1 to 65535", ErrAddress)
	}
	if err != nil {
		return address{}, errEscape
	}
	query, err := parameters(u)
	if err != nil {
		return address{}, err
	}
	a := address{network: "tcp", namespace: query.Get("namespace")}
	a.user, a.password = credentials(u.User)
	switch u.Scheme {
	case "redis", "rediss":
		if strings.Contains(u.Path, "@") {
			return address{}, errEscape
		}
		a.tls = u.Scheme == "rediss"
		if a.where, err = hostPort(u.Hostname(), u.Port()); err != nil {
			return address{}, err
		}
		a.db, err = parseDatabase(cmp.Or(query.Get("db"), strings.Trim(u.Path, "/")))
	case "unix":
		a.network, a.where = "unix", u.Path
		if u.Host != "" || a.where == "" {
			return address{}, fmt.Errorf("%w: unix:// needs an absolute path, as in unix:///var/run/redis.sock", ErrAddress)
		}
		if strings.Contains(a.where, "@/") {
			return address{}, fmt.Errorf("%w: a password goes before the path, as in unix://:password@/var/run/redis.sock", ErrAddress)
		}
		a.db, err = parseDatabase(query.Get("db"))
	default:
		return address{}, fmt.Errorf("%w: a URL begins with redis://, rediss:// or unix://, or for several servers with redis-sentinel://, rediss-sentinel://, redis-cluster:// or rediss-cluster://", ErrAddress)
	}
	return a, err
}

// parameters returns the parameters of a URL.
func parameters(u *url.URL) (url.Values, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" || strings.Contains(u.RawQuery, "@") {
		return nil, errEscape
	}
	for name, values := range query {
		if (name != "db" && name != "namespace") || len(values) > 1 || values[0] == "" {
			return nil, fmt.Errorf("%w: after the ? only db=NUMBER and namespace=NAME are allowed, each once (write user and password before the host, and rediss:// for TLS)", ErrAddress)
		}
	}
	return query, nil
}

// portIsWrong reports whether the text after the colon of a URL's host is not a number.
// Errors do not quote it, because it may be a password whose host is missing.
func portIsWrong(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	rest = rest[strings.LastIndex(rest, "@")+1:]
	rest, _, _ = strings.Cut(rest, "/")
	_, port, ok := strings.Cut(rest, ":")
	return ok && strings.Trim(port, "0123456789") != "" && !strings.ContainsAny(rest, "[]%?#")
}

// credentials returns the user and the password of a URL. If the URL has only one of
// them, it is the password.
//
// Ruby: RedisClient::UrlConfig#password.
func credentials(u *url.Userinfo) (user, password string) {
	if password, ok := u.Password(); ok {
		return u.Username(), password
	}
	return "", u.Username()
}

// parseHostPort parses "host:port" and "host:port:db", either with "/namespace" after it.
func parseHostPort(text string) (address, error) {
	if strings.Contains(text, "@") {
		return address{}, fmt.Errorf("%w: a user or a password needs a URL, as in redis://user:password@host:6379", ErrAddress)
	}
	text, namespace, _ := strings.Cut(text, "/")
	host, rest, _ := strings.Cut(text, ":")
	if v6, after, ok := strings.Cut(strings.TrimPrefix(text, "["), "]"); ok {
		host, rest = v6, strings.TrimPrefix(after, ":")
	} else if strings.Contains(text, "::") { // an address such as host::db is also rejected
		return address{}, fmt.Errorf("%w: an IPv6 address needs brackets, as in [::1]:6379", ErrAddress)
	}
	port, db, _ := strings.Cut(rest, ":")
	where, err := hostPort(host, port)
	if err != nil {
		return address{}, err
	}
	number, err := parseDatabase(db)
	digits := namespace != "" && strings.Trim(namespace, "0123456789") == ""
	return address{network: "tcp", where: where, db: number, namespace: namespace, digits: digits}, err
}

func hostPort(host, port string) (string, error) {
	host, port = cmp.Or(host, "localhost"), cmp.Or(port, "6379")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%w: the port is not a number from 1 to 65535", ErrAddress) // the text may be a password whose host is missing
	}
	return net.JoinHostPort(host, port), nil
}

func parseDatabase(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%w: the database is not a number", ErrAddress) // as above
	}
	return int(n), nil
}
