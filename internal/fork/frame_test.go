package fork

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFramesKeepHeadAndBody(t *testing.T) {
	t.Parallel()
	var pipe bytes.Buffer
	sent := Job{Queue: "exports", Worker: "web~go:1:exports", Timeout: time.Minute}
	payload := []byte("{\"class\":\"Exporter\"}\x00\xff\n")
	require.NoError(t, writeFrame(&pipe, frameJob, sent, payload))
	require.NoError(t, writeFrame(&pipe, frameStop, Stop{Returns: true}, nil))
	r := bufio.NewReader(&pipe)
	var (
		job  Job
		stop Stop
	)
	heads := map[byte]any{frameJob: &job, frameStop: &stop}
	kind, body, err := readFrame(r, heads)
	require.NoError(t, err)
	assert.Equal(t, byte(frameJob), kind)
	assert.Equal(t, sent, job)
	assert.Equal(t, payload, body)
	kind, body, err = readFrame(r, heads)
	require.NoError(t, err)
	assert.Equal(t, byte(frameStop), kind)
	assert.True(t, stop.Returns)
	assert.Empty(t, body)
	_, _, err = readFrame(r, heads)
	assert.ErrorIs(t, err, io.EOF)
}

func TestReportsKeepWhatTheySay(t *testing.T) {
	t.Parallel()
	wait := time.Second
	for _, sent := range []Report{
		{OK: true},
		{OK: true, Error: "a note", Progress: []byte("null")},
		{Exception: "E", Error: "failed", Backtrace: []string{"a.go:1"}, Wait: &wait, Progress: []byte("[1]")},
	} {
		var pipe bytes.Buffer
		require.NoError(t, writeFrame(&pipe, frameEnded, sent, nil))
		f, err := readFromChild(bufio.NewReader(&pipe))
		require.NoError(t, err)
		assert.Equal(t, frame{frameEnded, sent}, f)
	}
}

func TestAnIncompleteJobIsAnError(t *testing.T) {
	t.Parallel()
	head := (&Job{Queue: "exports", Timeout: time.Minute}).appendHead(nil)
	for n := range len(head) {
		require.Error(t, new(Job).readHead(head[:n]), n)
	}
	require.NoError(t, new(Job).readHead(head))
}

// A job may write any bytes to the pipe.
func TestGarbageIsAnError(t *testing.T) {
	t.Parallel()
	long := binary.BigEndian.AppendUint32([]byte{frameEnded}, maxHead+1)
	for name, garbage := range map[string]string{
		"a head that is too long": string(append(long, 0, 0, 0, 0)),
		"an incomplete body":      "e\x00\x00\x00\x02\x7f\xff\xff\xff{}x",
		"a head that is not JSON": "e\x00\x00\x00\x02\x00\x00\x00\x00no",
		"a kind of the parent's":  "j\x00\x00\x00\x02\x00\x00\x00\x00{}",
		"too short":               "e\x00",
		"text":                    strings.Repeat("\xff", 20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readFromChild(bufio.NewReader(strings.NewReader(garbage)))
			require.Error(t, err)
		})
	}
}
