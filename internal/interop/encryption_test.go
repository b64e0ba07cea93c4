package interop_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/crypt"
)

// Ruby performs an encrypted job of Go with the code of docs/encryption.md, and Go performs
// one of Ruby.
func TestRubyAndGoDecryptEachOthersJobs(t *testing.T) {
	t.Parallel()
	server := start(t)
	guide, err := os.ReadFile("../../docs/encryption.md")
	require.NoError(t, err)
	var code strings.Builder
	for _, block := range regexp.MustCompile("(?s)```ruby\n(.*?)```").FindAllSubmatch(guide, -1) {
		code.Write(block[1])
	}
	secret := []byte("0123456789abcdef0123456789abcdef")
	box := crypt.Box{Keys: crypt.Keys{{ID: "2026-01", Secret: secret}}}
	mailer := resque.Define2[string, map[string]any]("Mailer", "mail", box)
	client := server.Client(t)
	_, err = client.Enqueue(t.Context(), mailer.Job("ann <é\u2028>", map[string]any{"n": int64(9007199254740993), "f": 1.5}))
	require.NoError(t, err)

	out := rubyWith(t, server, []string{"CRYPT_KEYS=2026-01:" + base64.StdEncoding.EncodeToString(secret)}, "encryption.rb", code.String())
	assert.JSONEq(t, `{"got":["ann <é\u2028>",{"f":1.5,"n":9007199254740993}],"other":"refused"}`, out)

	var got []any
	mux := resque.NewMux()
	mux.Handle(mailer.Handler(func(_ context.Context, to string, options map[string]any) error {
		got = append(got, to, options["f"])
		return nil
	}))
	work(t, server, mux, "back")
	assert.Equal(t, []any{"ann <é\u2028>", json.Number("1.5")}, got)
}
