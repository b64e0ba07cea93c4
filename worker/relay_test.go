package worker_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
)

// fate is what happens to a request on its way to Redis.
type fate int

const (
	pass    fate = iota
	cut          // the connection breaks before Redis has the request
	tear         // it breaks in the middle of the request, which Redis drops
	swallow      // Redis performs the request, and the connection breaks before the reply
	garble       // it breaks in the middle of the reply
	finish       // it breaks right after the reply
)

// request is what Redis gets of a request.
func (f fate) request(raw []byte) []byte {
	switch f {
	case cut:
		return nil
	case tear:
		return raw[:len(raw)/2]
	default:
		return raw
	}
}

// reply is what the client gets of a reply.
func (f fate) reply(raw []byte) []byte {
	switch f {
	case cut, tear, swallow:
		return nil
	case garble:
		return raw[:len(raw)/2]
	default:
		return raw
	}
}

// decider chooses a request's fate. It is called by one goroutine a connection
// and may block, which holds that request back.
type decider func(request []string) fate

// relay passes a connection's requests on, each to its fate, and the replies
// back, until either side ends.
func relay(client, server net.Conn, decide decider) {
	var (
		last    atomic.Int32 // the fate of the request that the connection ends with
		replies sync.WaitGroup
	)
	replies.Go(func() {
		defer client.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			ends := fate(last.Load())
			if _, err := client.Write(ends.reply(buf[:n])); err != nil || ends != pass {
				return
			}
		}
	})
	in := bufio.NewReader(client)
	for {
		raw, words, err := readRequest(in)
		if err != nil {
			break
		}
		f := decide(words)
		last.Store(int32(f))
		if _, err := server.Write(f.request(raw)); err != nil || f == cut || f == tear {
			break
		}
		if f != pass {
			replies.Wait() // the first reply ends it
			break
		}
	}
	_ = client.Close()
	_ = server.Close()
	replies.Wait()
}

// readRequest reads one command as clients send it, in both forms.
func readRequest(in *bufio.Reader) (raw []byte, words []string, err error) {
	var seen bytes.Buffer
	number := func() (int, error) {
		line, err := in.ReadString('\n')
		if err != nil || len(line) < 4 {
			return 0, io.ErrUnexpectedEOF
		}
		seen.WriteString(line)
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	count, err := number()
	for i := 0; i < count && err == nil; i++ {
		var size int
		if size, err = number(); err != nil {
			break
		}
		word := make([]byte, size+2)
		_, err = io.ReadFull(in, word)
		seen.Write(word)
		words = append(words, string(word[:size]))
	}
	return seen.Bytes(), words, err
}

// isExchange reports whether a request runs the script that finishes and reserves:
// only that one reads whether the workers are paused.
func isExchange(request []string) bool {
	switch strings.ToLower(request[0]) {
	case "eval", "evalsha":
		return len(request) > 3 && request[3] == "resque:pause-all-workers"
	default:
		return false
	}
}

// relayTo puts a relay between the test and server and returns the server's
// address behind it.
func relayTo(t *testing.T, server *redistest.Server, decide decider) *redistest.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var (
		conns sync.WaitGroup
		mu    sync.Mutex
		open  []net.Conn
	)
	conns.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			behind, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "redis://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			mu.Lock()
			open = append(open, client, behind)
			mu.Unlock()
			conns.Go(func() { relay(client, behind, decide) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return &redistest.Server{URL: "redis://" + l.Addr().String(), Real: server.Real}
}

func TestReadRequest(t *testing.T) {
	t.Parallel()
	in := bufio.NewReader(strings.NewReader("*2\r\n$4\r\nPING\r\n$3\r\na\nb\r\n*1\r\n$0\r\n\r\n"))
	raw, words, err := readRequest(in)
	require.NoError(t, err)
	require.Equal(t, "*2\r\n$4\r\nPING\r\n$3\r\na\nb\r\n", string(raw))
	require.Equal(t, []string{"PING", "a\nb"}, words)
	_, words, err = readRequest(in)
	require.NoError(t, err)
	require.Equal(t, []string{""}, words)
	_, _, err = readRequest(in)
	require.Error(t, err)
}
