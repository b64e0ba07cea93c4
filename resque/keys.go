package resque

import (
	"context"
	"errors"
	"time"

	"github.com/goresque/goresque/internal/store"
)

// ServerInfo returns the server's reply to the command INFO.
//
// Ruby: Resque.redis.info.
func (c *Client) ServerInfo(ctx context.Context) (string, error) { return c.store.Info(ctx) }

// KeyInfo describes a key of the namespace.
type KeyInfo struct {
	// Name is the name without the namespace's prefix, and NameSize its length. Of a
	// name longer than 1 kB, Name is only the beginning, and the other fields are not
	// set.
	Name     string
	NameSize int64

	Type string        // the reply to the command TYPE
	Size int64         // number of entries, or of bytes if the key is a string
	TTL  time.Duration // 0 if the key does not expire
}

// HasWholeName reports whether Name is the whole name.
func (k KeyInfo) HasWholeName() bool { return int64(len(k.Name)) == k.NameSize }

// KeyValue is a key and a part of its value.
type KeyValue struct {
	KeyInfo
	Values []string // for a hash or a sorted set, names and values alternate
	Sizes  []int64  // lengths of the values; Values has at most 64 kB of each
	Next   string   // start of the next part for ReadKey, or "" at the end

	// Memory is about how many bytes of memory the key uses, or -1 if Redis does not
	// tell.
	Memory int64
}

// ScanKeys returns about count keys of the namespace. cursor is 0 in the first call and
// next of the previous call after that. At the end, next is 0. A call is short and may
// return no keys before the end.
func (c *Client) ScanKeys(ctx context.Context, cursor uint64, count int) (keys []KeyInfo, next uint64, err error) {
	found, next, err := c.store.ScanKeys(ctx, cursor, count)
	for _, k := range found {
		keys = append(keys, KeyInfo(k))
	}
	return keys, next, err
}

// ReadKey returns up to count values of a key, in one round trip. from is "" in the
// first call and Next of the previous part after that. ok is false if the key does not
// exist.
func (c *Client) ReadKey(ctx context.Context, name, from string, count int64) (value KeyValue, ok bool, err error) {
	v, err := c.store.Key(ctx, name, from, count)
	if errors.Is(err, store.ErrNoKey) {
		return KeyValue{}, false, nil
	}
	return KeyValue{KeyInfo: KeyInfo(v.KeyInfo), Values: v.Values, Sizes: v.Sizes, Next: v.Next, Memory: v.Memory}, err == nil, err
}
