package resque

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/store"
)

// nodes is the locator of the master that serves one hash slot of a Redis Cluster. All
// keys of a namespace with braces are in the slot of any one of them.
type nodes struct {
	dialer *dialer
	key    string
	given  []string // in the address

	mu    sync.Mutex
	known []string // the one that answered last is the first
}

func newNodes(at address, cfg RedisConfig, key string) *nodes {
	return &nodes{dialer: newDialer(at, cfg), key: key, given: at.hosts, known: slices.Clone(at.hosts)}
}

// locate asks one node after another which master serves the keys.
func (n *nodes) locate(ctx context.Context, except string) (where string, err error) {
	n.mu.Lock()
	known := slices.Clone(n.known)
	n.mu.Unlock()
	var errs []error
	for _, host := range known {
		where, all, err := n.ask(ctx, host)
		if err == nil && where == except {
			err = errSame
		}
		if err == nil {
			n.learn(host, all)
			return where, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		errs = append(errs, fmt.Errorf("%s: %w", host, err))
	}
	return "", noNode(errs)
}

// ask asks one node which master serves the keys, and for the addresses of all nodes.
func (n *nodes) ask(ctx context.Context, host string) (where string, all []string, err error) {
	c, err := n.dialer.to(host, nil).dial(ctx)
	if err != nil {
		return "", nil, err
	}
	defer c.Close()
	slot, err := redis.Int(redis.DoContext(c, ctx, "CLUSTER", "KEYSLOT", n.key))
	if err == nil {
		var ranges []any
		ranges, err = redis.Values(redis.DoContext(c, ctx, "CLUSTER", "SLOTS"))
		where, all = masterOf(slot, ranges, host)
	}
	switch {
	case err != nil:
		return "", nil, store.Plain(err)
	case where == "":
		return "", nil, &faultError{FaultClusterDown, fmt.Sprintf("no node serves slot %d", slot), nil}
	}
	return where, all, nil
}

// masterOf returns the address of the master of a slot, and those of all nodes, from the
// reply to CLUSTER SLOTS. A node without an address is the one that was asked.
func masterOf(slot int, ranges []any, asked string) (where string, all []string) {
	own, _, _ := net.SplitHostPort(asked)
	for _, r := range ranges {
		fields, _ := redis.Values(r, nil)
		if len(fields) < 3 {
			continue
		}
		first, _ := redis.Int(fields[0], nil)
		last, _ := redis.Int(fields[1], nil)
		for i, field := range fields[2:] {
			node, _ := redis.Values(field, nil)
			if len(node) < 2 {
				continue
			}
			host, _ := redis.String(node[0], nil)
			port, _ := redis.Int(node[1], nil)
			at := net.JoinHostPort(cmp.Or(host, own), strconv.Itoa(port))
			if all = append(all, at); i == 0 && first <= slot && slot <= last {
				where = at
			}
		}
	}
	return where, all
}

// learn notes the addresses of all nodes, so that those in the URL need not live for ever.
func (n *nodes) learn(first string, all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = n.known[:0]
	for _, host := range slices.Concat([]string{first}, all, n.given) {
		if !slices.Contains(n.known, host) {
			n.known = append(n.known, host)
		}
	}
}

// refused makes another node the first to be asked.
func (n *nodes) refused() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = append(n.known[1:len(n.known):len(n.known)], n.known[0])
}

// noNode returns the error of a question that no node answered. A reply, such as a wrong
// password, says more than a node that is away.
func noNode(errs []error) error {
	code := FaultNodes
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
		own := faultCode(err)
		if own == FaultCommand || strings.Contains(texts[i], "cluster support disabled") {
			own = FaultNotCluster
		}
		if code == FaultNodes && own != "" && !away(own) {
			code = own
		}
	}
	return &faultError{code, "no node returned the address of the master: " + strings.Join(texts, "; "), errors.Join(errs...)}
}

// check returns an error if a node does not serve the keys: the node that named it has not
// noticed that they moved. A node from which they are moving to another one serves them.
func (n *nodes) check(ctx context.Context, c redis.Conn) error {
	_, err := redis.DoContext(c, ctx, "EXISTS", n.key)
	if err != nil && (strings.HasPrefix(err.Error(), "ASK ") || store.Unsupported(err)) {
		return nil
	}
	return store.Plain(err)
}

// explain marks an error as one that ends with a failover.
func (n *nodes) explain(_ context.Context, err error) error {
	if faultCode(err) == FaultClusterDown {
		return err
	}
	return &faultError{FaultFailover, err.Error(), err}
}

// watch returns at once: a cluster does not send messages. The first command that a node
// refuses, or a connection that breaks, shows that another node is the master.
func (n *nodes) watch(context.Context, func(string)) {}
