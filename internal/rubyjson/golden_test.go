package rubyjson

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden is a line of a recording of Ruby.
type golden struct {
	Ruby        string          `json:"ruby"`
	Payload     string          `json:"payload"`
	Raises      string          `json:"raises"`
	OK          bool            `json:"ok"`
	Bytes       int             `json:"bytes"`
	Raw         json.RawMessage `json:"raw"`
	Result      json.RawMessage `json:"result"`
	Reencoded   *string         `json:"reencoded"`
	ReencodeErr string          `json:"reencode_raises"`
}

func readGolden(tb testing.TB, path string) []golden {
	tb.Helper()
	lines := readLines(tb, path)
	require.NotEmpty(tb, lines)
	return lines
}

// readLines is readGolden for a diff, which is empty if nothing differs.
func readLines(tb testing.TB, path string) []golden {
	tb.Helper()
	file, err := os.Open(path)
	require.NoError(tb, err)
	defer file.Close()
	var lines []golden
	for in := bufio.NewScanner(file); in.Scan(); {
		var g golden
		require.NoError(tb, json.Unmarshal(in.Bytes(), &g), in.Text())
		lines = append(lines, g)
	}
	return lines
}

// text returns the text that Ruby had to decode, and whether Ruby accepted it.
func (g *golden) text(tb testing.TB) (raw string, accepted bool) {
	tb.Helper()
	var encoded struct{ Base64 string }
	if json.Unmarshal(g.Raw, &raw) != nil {
		require.NoError(tb, json.Unmarshal(g.Raw, &encoded))
		decoded, err := base64.StdEncoding.DecodeString(encoded.Base64)
		require.NoError(tb, err)
		raw = string(decoded)
	}
	var n int
	if _, err := fmt.Sscanf(raw, "args holds %d nested arrays", &n); err == nil {
		return `{"class":"J","args":[` + nested(n) + `]}`, string(g.Result) == "true"
	}
	return raw, g.Raises == ""
}

func nested(n int) string {
	return strings.Repeat("[", n) + strings.Repeat("]", n)
}
