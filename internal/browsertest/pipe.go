package browsertest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// params are the arguments of a method of the Chrome DevTools Protocol.
type params map[string]any

// pipe calls methods of a Chromium. Each message is JSON, followed by a NUL.
type pipe struct {
	mu       sync.Mutex
	to       io.Writer
	last     int64                  // id of the last call
	waiting  map[int64]chan message // by id
	ended    error                  // why no reply comes any more
	reported []string
}

// message is a reply, or an event, which has no id.
type message struct {
	ID     int64           `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// newPipe returns a pipe, and reads the replies until from is closed.
func newPipe(to io.Writer, from io.Reader) *pipe {
	p := &pipe{to: to, waiting: map[int64]chan message{}}
	go p.read(from)
	return p
}

// call calls a method and reads its result, unless result is nil. The session names
// the tab; the browser itself has the session "".
func (p *pipe) call(ctx context.Context, session, method string, args params, result any) error {
	reply, err := p.send(session, method, args)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m, ok := <-reply:
		switch {
		case !ok:
			return fmt.Errorf("%s: chromium has ended", method)
		case m.Error != nil:
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		case result == nil:
			return nil
		}
		if err := json.Unmarshal(m.Result, result); err != nil {
			return fmt.Errorf("%s: its result: %w", method, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

func (p *pipe) send(session, method string, args params) (<-chan message, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return nil, p.ended
	}
	p.last++
	fields := params{"id": p.last, "method": method}
	if args != nil {
		fields["params"] = args
	}
	if session != "" {
		fields["sessionId"] = session
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("its arguments: %w", err)
	}
	reply := make(chan message, 1)
	p.waiting[p.last] = reply
	if _, err = p.to.Write(append(data, 0)); err != nil {
		return nil, fmt.Errorf("writing to Chromium: %w", err)
	}
	return reply, nil
}

func (p *pipe) read(from io.Reader) {
	r := bufio.NewReader(from)
	for {
		data, err := r.ReadBytes(0)
		if err == nil {
			err = p.receive(bytes.TrimSuffix(data, []byte{0}))
		}
		if err != nil {
			p.end(err)
			return
		}
	}
}

func (p *pipe) receive(data []byte) error {
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("a message of Chromium: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if reply := p.waiting[m.ID]; reply != nil {
		delete(p.waiting, m.ID)
		reply <- m
		return nil
	}
	var event struct {
		Entry            struct{ Text string }
		ExceptionDetails struct{ Text string }
	}
	switch m.Method {
	case "Log.entryAdded", "Runtime.exceptionThrown":
		if err := json.Unmarshal(m.Params, &event); err != nil {
			return fmt.Errorf("an event of Chromium: %w", err)
		}
		p.reported = append(p.reported, event.Entry.Text+event.ExceptionDetails.Text)
	}
	return nil
}

func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = fmt.Errorf("chromium has ended: %w", err)
	for id, reply := range p.waiting {
		delete(p.waiting, id)
		close(reply)
	}
}

func (p *pipe) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.reported...)
}
