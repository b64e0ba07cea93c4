package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Presence is a connection whose name tells others that a process lives: as
// long as it is open, the process is there. One goroutine uses it.
type Presence struct{ conn conn }

// Announce opens a connection in the name of process and token, a random text
// that no other start of the same process has.
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

// Check makes sure that the connection still stands.
func (p *Presence) Check() error {
	if _, err := p.conn.do("PING"); err != nil {
		return fmt.Errorf("checking a named connection: %w", err)
	}
	return nil
}

// Close ends the presence, in name first: a pool may keep the connection.
func (p *Presence) Close() {
	_, _ = p.conn.do("CLIENT", "SETNAME", "")
	p.conn.Close()
}

// Present are the tokens under which a process is present. ok is false where
// Redis does not say: not every server lets everybody list its clients.
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

// presenceName is what a process's connection is called, up to its token. Names
// may hold only visible ASCII.
func (s *Store) presenceName(process string) string {
	name := "goresque:" + s.rdb.Key(process) + ":"
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
}
