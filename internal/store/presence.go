package store

import (
	"context"
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
	var list string
	err = s.with(ctx, func(c conn) (err error) {
		list, err = redis.String(c.do("CLIENT", "LIST"))
		return err
	})
	if Refused(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("listing the clients: %w", err)
	}
	want := " name=" + s.presenceName(process)
	for line := range strings.Lines(list) {
		if _, token, found := strings.Cut(line, want); found {
			token, _, _ = strings.Cut(token, " ")
			tokens = append(tokens, token)
		}
	}
	return tokens, true, nil
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
