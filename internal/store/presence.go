package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Presence is a connection with a name that shows other processes that this process is
// alive. It is not safe for concurrent use.
type Presence struct{ conn conn }

// Announce opens a connection named after process and token. The token must be a random
// text, which is different for each start of the process.
func (s *Store) Announce(ctx context.Context, process, token string) (*Presence, error) {
	rc, err := s.rdb.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := rc.Do("CLIENT", "SETNAME", s.presenceName(process)+token); err != nil {
		rc.Close()
		return nil, fmt.Errorf("naming a connection: %w", err)
	}
	return &Presence{conn: conn{Conn: rc}}, nil
}

// Check returns an error if the connection is broken.
func (p *Presence) Check() error {
	if _, err := p.conn.do("PING"); err != nil {
		return fmt.Errorf("checking a named connection: %w", err)
	}
	return nil
}

// Close removes the name of the connection and closes it. Removing the name is necessary
// because a pool may keep the connection open.
func (p *Presence) Close() {
	_, _ = p.conn.do("CLIENT", "SETNAME", "")
	p.conn.Close()
}

// Present returns the tokens of a process whose connections are open. ok is false if
// Redis refuses to list its clients, as some servers do.
func (s *Store) Present(ctx context.Context, process string) (tokens []string, ok bool, err error) {
	open, ok, err := s.Connected(ctx, []string{process})
	return open[process], ok, err
}

// ClientListRefusal returns the reason for which the user may not list the clients of Redis. It
// is empty if the user may. It reads none of them.
func (s *Store) ClientListRefusal(ctx context.Context) (reason string, err error) {
	err = s.with(ctx, func(c conn) error {
		_, err := c.do("CLIENT", "LIST", "ID", 0)
		return err
	})
	var refused redis.Error
	switch {
	case errors.As(err, &refused) && strings.HasPrefix(string(refused), "NOPERM "):
		return string(refused), nil
	case Refused(err): // a server that does not know the command, or the option
		return "", nil
	case err != nil:
		return "", fmt.Errorf("listing the clients: %w", err)
	}
	return "", nil
}

// Connected returns the tokens of processes whose connections are open, by process. ok
// is false if Redis refuses to list its clients, as some servers do.
func (s *Store) Connected(ctx context.Context, processes []string) (open map[string][]string, ok bool, err error) {
	var list string
	err = s.with(ctx, func(c conn) (err error) {
		list, err = redis.String(c.do("CLIENT", "LIST"))
		return err
	})
	if Unsupported(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("listing the clients: %w", err)
	}
	tokens := map[string][]string{} // by the name without the token
	for line := range strings.Lines(list) {
		_, name, _ := strings.Cut(line, " name=")
		name, _, _ = strings.Cut(name, " ")
		end := strings.LastIndexByte(name, ':') + 1
		tokens[name[:end]] = append(tokens[name[:end]], name[end:])
	}
	open = make(map[string][]string, len(processes))
	for _, process := range processes {
		open[process] = tokens[s.presenceName(process)]
	}
	return open, true, nil
}

// presenceName returns the name of a process's connection without the token. Redis allows
// only printable ASCII characters, without spaces, in names.
func (s *Store) presenceName(process string) string {
	name := "goresque:" + s.rdb.Key(process) + ":"
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
}
