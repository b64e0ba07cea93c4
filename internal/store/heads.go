package store

const (
	// headBytes limits the bytes that Redis copies to find the first payloads of queues.
	// Those of the remaining queues are unknown.
	headBytes = 32 << 20
	// headPart is after how many of these bytes a command stops, because Redis serves no
	// other client in the meantime.
	headPart = 2 << 20
	// headQueues is how many queues a command reads at most.
	headQueues = 500
)

// heads reads the first payloads of queues. Redis cannot read a part of a payload, so the
// payloads that are found are what the commands cost.
type heads struct {
	whole int64 // how many bytes are still read whole
	left  int64 // how many bytes Redis may still copy
}

func newHeads() *heads { return &heads{whole: wholeBytes, left: headBytes} }

// commands returns the commands that read the first entries of lists; read reads their
// replies. They may be sent together with other commands.
func (h *heads) commands(keys []any) (all [][]any) {
	parts := int64(len(keys)+headQueues-1) / headQueues
	for len(keys) > 0 {
		some := keys[:min(len(keys), headQueues)]
		keys = keys[len(some):]
		command := append([]any{"EVAL", headsLua, len(some)}, some...)
		all = append(all, append(command, h.whole/parts, beginningBytes, min(headPart, h.left/parts)))
	}
	return all
}

// read returns n entries from the replies of the commands, which next returns.
func (h *heads) read(n int, next func() any) (all []Entry, err error) {
	for len(all) < n {
		some, err := readValues(min(n-len(all), headQueues), next(), nil)
		if err != nil {
			return nil, err
		}
		for _, e := range some {
			h.left -= e.Size
			if e.IsWhole() {
				h.whole = max(h.whole-e.Size, 0)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

// headsLeft reads the first payloads of the queues for which the commands before had no
// bytes left. Each round trip reads those of at least one of them.
func (s *Store) headsLeft(c conn, h *heads, queues []QueueState) error {
	for range headBytes / headPart {
		var unread []*QueueState
		var keys []any
		for i := range queues {
			if q := &queues[i]; q.Size > 0 && q.Err == nil && q.Head.Raw == nil { // an empty payload is not nil
				unread, keys = append(unread, q), append(keys, s.keys.queue(q.Name))
			}
		}
		if len(unread) == 0 || h.left <= 0 {
			return nil
		}
		replies, err := c.pipeline(h.commands(keys)...)
		if err != nil {
			return err
		}
		entries, err := h.read(len(unread), func() any {
			reply := replies[0]
			replies = replies[1:]
			return reply
		})
		if err != nil {
			return err
		}
		for i, q := range unread {
			q.Head = entries[i]
		}
	}
	return nil
}
