package resque

import (
	"context"
	"errors"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// ServerInfo returns what the server says of itself: the answer to INFO.
//
// Ruby: Resque.redis.info.
func (c *Client) ServerInfo(ctx context.Context) (string, error) { return c.store.Info(ctx) }

// KeyInfo is a key below the namespace.
type KeyInfo struct {
	Name string // without the namespace
	Type string // as TYPE names it
	Size int64  // entries, or the bytes of a string
	TTL  time.Duration
}

// KeyValue is a part of what a key holds.
type KeyValue struct {
	KeyInfo
	Values []string // of a hash or a sorted set: name and value in turn
	Next   string   // where the next part begins; empty at the end
}

// ScanKeys returns about count keys below the namespace, from a cursor on, 0 at
// first. next is 0 at the end. It never holds Redis up for long, and a part may be
// empty.
func (c *Client) ScanKeys(ctx context.Context, cursor uint64, count int) (keys []KeyInfo, next uint64, err error) {
	found, next, err := c.store.ScanKeys(ctx, cursor, count)
	for _, k := range found {
		keys = append(keys, KeyInfo(k))
	}
	return keys, next, err
}

// ReadKey returns up to count values of a key, from where an earlier part ended, ""
// at first, in one round trip; ok is false if there is no such key.
func (c *Client) ReadKey(ctx context.Context, name, from string, count int64) (value KeyValue, ok bool, err error) {
	v, err := c.store.Key(ctx, name, from, count)
	if errors.Is(err, store.ErrNoKey) {
		return KeyValue{}, false, nil
	}
	return KeyValue{KeyInfo: KeyInfo(v.KeyInfo), Values: v.Values, Next: v.Next}, err == nil, err
}
