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

// ErrAddress is wrapped by errors about a Redis address that cannot be read.
var ErrAddress = errors.New("resque: not a Redis address")

// address is where a Redis is, as one of Ruby's spellings says it.
type address struct {
	network, where string // as net.Dial has them
	tls            bool
	user, password string
	db             int
	namespace      string // empty where the spelling has none
}

// String is the address without its password.
func (a address) String() string {
	if a.network == "unix" {
		return "unix://" + a.where
	}
	u := url.URL{Scheme: "redis", Host: a.where}
	if a.tls {
		u.Scheme = "rediss"
	}
	switch {
	case a.password != "":
		u.User = url.UserPassword(a.user, "xxxxx")
	case a.user != "":
		u.User = url.User(a.user)
	}
	if a.db != 0 {
		u.Path = "/" + strconv.Itoa(a.db)
	}
	return u.String()
}

// parseAddress reads what Ruby's Resque.redis= takes.
//
// Ruby: Resque::DataStore and Resque.redis=.
func parseAddress(text string) (address, error) {
	if text == "" {
		text = "localhost:6379"
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return parseURL(scheme, text)
	}
	return parseHostPort(text)
}

func parseURL(scheme, text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The error would repeat the text, password and all.
		return address{}, fmt.Errorf("%w: the %s:// URL cannot be parsed (a %% or a / in a password must be written %%25, %%2F)", ErrAddress, scheme)
	}
	a := address{network: "tcp", namespace: u.Query().Get("namespace")}
	if u.User != nil {
		a.user = u.User.Username()
		a.password, _ = u.User.Password()
	}
	switch scheme {
	case "redis", "rediss":
		a.tls = scheme == "rediss"
		a.where = net.JoinHostPort(cmp.Or(u.Hostname(), "localhost"), cmp.Or(u.Port(), "6379"))
		a.db, err = parseDatabase(cmp.Or(u.Query().Get("db"), firstPart(u.Path)))
	case "unix":
		a.network, a.where = "unix", u.Path
		if a.where == "" {
			return a, fmt.Errorf("%w: unix:// needs a path, as in unix:///var/run/redis.sock", ErrAddress)
		}
		a.db, err = parseDatabase(u.Query().Get("db"))
	default:
		return a, fmt.Errorf("%w: %s:// is not redis://, rediss:// or unix://", ErrAddress, scheme)
	}
	return a, err
}

// parseHostPort reads "host:port", "host:port:db" and either followed by
// "/namespace".
func parseHostPort(text string) (address, error) {
	text, namespace, _ := strings.Cut(text, "/")
	host, rest, _ := strings.Cut(text, ":")
	port, db, _ := strings.Cut(rest, ":")
	if n, err := strconv.ParseUint(cmp.Or(port, "6379"), 10, 16); err != nil || n == 0 {
		return address{}, fmt.Errorf("%w: port %q is not a number from 1 to 65535", ErrAddress, port)
	}
	number, err := parseDatabase(db)
	return address{
		network:   "tcp",
		where:     net.JoinHostPort(cmp.Or(host, "localhost"), cmp.Or(port, "6379")),
		db:        number,
		namespace: namespace,
	}, err
}

func parseDatabase(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: database %q is not a number", ErrAddress, text)
	}
	return n, nil
}

func firstPart(path string) string {
	part, _, _ := strings.Cut(strings.Trim(path, "/"), "/")
	return part
}
