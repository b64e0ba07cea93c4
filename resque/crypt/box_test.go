package crypt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/crypt"
	"github.com/goresque/goresque/resque/retry"
	"github.com/goresque/goresque/worker"
)

func key(id string) crypt.Key {
	return crypt.Key{ID: id, Secret: bytes.Repeat([]byte(id[:1]), 32)}
}

func boxOf(ids ...string) crypt.Box {
	var b crypt.Box
	for _, id := range ids {
		b.Keys = append(b.Keys, key(id))
	}
	return b
}

// sealed returns the payload of a job with a box.
func sealed(t testing.TB, b crypt.Box, job resque.Job) *resque.Payload {
	t.Helper()
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux(), EnqueueHooks: []resque.EnqueueMiddleware{b.EnqueueMiddleware()}})
	require.NoError(t, err)
	var payload *resque.Payload
	_, err = client.EnqueueWith(context.Background(), job, func(_ context.Context, queue string, raw []byte) error {
		payload, err = resque.ParsePayload(queue, raw)
		return err
	})
	require.NoError(t, err)
	return payload
}

func texts(t testing.TB, b crypt.Box, p *resque.Payload) (all []string) {
	t.Helper()
	args, err := b.Decrypt(p)
	require.NoError(t, err)
	for _, a := range args {
		all = append(all, string(a))
	}
	return all
}

func mail() resque.Job {
	return resque.Job{Queue: "mail", Class: "Mailer", Args: []any{"ann@example.com", map[string]any{}, 1.0, int64(1) << 60}}
}

func TestArgumentsAreEncryptedAndDecrypted(t *testing.T) {
	t.Parallel()
	b := boxOf("new", "old")
	p := sealed(t, b, mail())
	assert.Regexp(t, `^\{"class":"Mailer","args":\[\{"_encrypted":"v1","key":"new","data":"[A-Za-z0-9+/=]+"\}\]\}$`, string(p.Raw))
	assert.True(t, resque.IsEncrypted(p.Args))
	assert.Equal(t, []string{`"ann@example.com"`, `{}`, `1.0`, `1152921504606846976`}, texts(t, b, p))
	assert.NotEqual(t, p.Raw, sealed(t, b, mail()).Raw, "the nonce is random")

	none := mail()
	none.Args = nil
	assert.JSONEq(t, `{"class":"Mailer","args":[]}`, string(sealed(t, b, none).Raw))
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	p := sealed(t, boxOf("old"), mail())
	assert.Len(t, texts(t, boxOf("new", "old"), p), 4)
	for name, c := range map[string]struct {
		box    crypt.Box
		change func(p *resque.Payload)
		want   string
	}{
		"unknown key":   {boxOf("new"), nil, `with the key "old": this program does not have the key`},
		"wrong key":     {crypt.Box{Keys: crypt.Keys{{ID: "old", Secret: make([]byte, 32)}}}, nil, "the key is another one of the same name"},
		"another class": {boxOf("old"), func(p *resque.Payload) { p.Class = "Other" }, "or the arguments or the class were changed"},
		"changed": {boxOf("old"), func(p *resque.Payload) {
			p.Args[0] = []byte(`{"_encrypted":"v1","key":"old","data":"` + strings.Repeat("A", 80) + `"}`)
		}, "were changed"},
		"short":      {boxOf("old"), func(p *resque.Payload) { p.Args[0] = []byte(`{"_encrypted":"v1","key":"old","data":"AAAA"}`) }, "the format is not v1"},
		"no base64":  {boxOf("old"), func(p *resque.Payload) { p.Args[0] = []byte(`{"_encrypted":"v1","key":"old","data":"%"}`) }, "the format is not v1"},
		"version":    {boxOf("old"), func(p *resque.Payload) { p.Args[0] = []byte(`{"_encrypted":"v2","key":"old","data":""}`) }, "the format is not v1"},
		"no members": {boxOf("old"), func(p *resque.Payload) { p.Args[0] = []byte(`{"_encrypted":1}`) }, "the format is not v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := resque.ParsePayload("mail", bytes.Clone(p.Raw))
			require.NoError(t, err)
			if c.change != nil {
				c.change(q)
			}
			_, err = c.box.Decrypt(q)
			require.ErrorContains(t, err, c.want)
			var e *crypt.Error
			require.ErrorAs(t, err, &e)
		})
	}
}

func TestCheckNamesAllMistakes(t *testing.T) {
	t.Parallel()
	require.EqualError(t, crypt.Box{}.Check(), "crypt: a Box has no keys")
	err := crypt.Box{Keys: crypt.Keys{key("a"), key("a"), {ID: "", Secret: nil}}}.Check()
	for _, want := range []string{`two keys have the ID "a"`, "key 3 has no ID", "has 0 bytes; AES-256 needs 32"} {
		require.ErrorContains(t, err, want)
	}
	assert.PanicsWithValue(t, `resque: class "A": setting 1: crypt: a Box has no keys`, func() { resque.Define0("A", "q", crypt.Box{}) })
	assert.Panics(t, func() { crypt.Box{}.Middleware() })
}

// recorder performs a job once for each text that is passed to it.
type recorder struct {
	mu  sync.Mutex
	got []string
}

func (r *recorder) add(s string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, s)
	return len(r.got)
}

func workOff(t *testing.T, client *resque.Client, route resque.Route, log *bytes.Buffer) {
	t.Helper()
	mux := resque.NewMux()
	mux.Handle(route)
	w, err := worker.New(client, mux, worker.Config{Queues: []string{"mail"}, UntilEmpty: true, Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	require.NoError(t, w.Run(t.Context()))
}

const secret = "ann@example.com"

func TestJobStaysEncryptedThroughRetriesAndRequeues(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		b := boxOf("key")
		b.HideErrors = true
		mailer := resque.Define1[string]("Mailer", "mail", b, retry.Policy{Limit: 1})
		_, err := client.Enqueue(t.Context(), mailer.Job(secret))
		require.NoError(t, err)
		var raw []byte
		for job, err := range client.Peek(t.Context(), "mail", 0, 1) {
			require.NoError(t, err)
			raw = bytes.Clone(job.Raw)
		}
		assert.NotContains(t, string(raw), "ann@")

		var r recorder
		var log bytes.Buffer
		route := mailer.Handler(func(_ context.Context, to string) error {
			switch r.add(to) {
			case 1:
				return fmt.Errorf("no such mailbox: %s", to)
			case 2:
				panic("no such mailbox: " + to)
			}
			return nil
		})
		workOff(t, client, route, &log)
		assert.Equal(t, []string{secret, secret}, r.got)
		var failed []resque.FailedJob
		for f, err := range client.Failures().Oldest(t.Context(), resque.FailureFilter{}) {
			require.NoError(t, err)
			failed = append(failed, f)
		}
		require.Len(t, failed, 2)
		for _, f := range failed {
			assert.Equal(t, string(raw), string(f.Payload))
			assert.NotContains(t, f.Error+strings.Join(f.Backtrace, ""), "ann@")
			assert.Contains(t, f.Error, "hidden")
		}
		assert.NotContains(t, log.String(), "ann@")
		_, err = client.Failures().Requeue(t.Context(), resque.RequeueOptions{}, failed[0].ID)
		require.NoError(t, err)
		workOff(t, client, route, &log)
		assert.Equal(t, []string{secret, secret, secret}, r.got)
	})
}

func TestJobWithoutItsKeyFailsUnopened(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	_, err := client.Enqueue(t.Context(), resque.Define1[string]("Mailer", "mail", boxOf("new")).Job(secret))
	require.NoError(t, err)
	var r recorder
	var log bytes.Buffer
	handler := func(_ context.Context, to string) error { r.add(to); return nil }
	workOff(t, client, resque.Define1[string]("Mailer", "mail", boxOf("old")).Handler(handler), &log)
	assert.Empty(t, r.got)
	var ids []resque.FailureID
	for f, err := range client.Failures().Oldest(t.Context(), resque.FailureFilter{}) {
		require.NoError(t, err)
		assert.Equal(t, "OpenSSL::Cipher::CipherError", f.Exception)
		assert.NotContains(t, string(f.Raw), "ann@")
		ids = append(ids, f.ID)
	}
	require.Len(t, ids, 1)
	_, err = client.Failures().Requeue(t.Context(), resque.RequeueOptions{}, ids[0])
	require.NoError(t, err)
	workOff(t, client, resque.Define1[string]("Mailer", "mail", boxOf("old", "new")).Handler(handler), &log)
	assert.Equal(t, []string{secret}, r.got, "nothing was lost")
}

func TestDequeueByArgumentsIsRefused(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client := s.Client(t)
	mailer := resque.Define1[string]("Mailer", "mail", boxOf("key"))
	_, err := client.Enqueue(t.Context(), mailer.Job(secret))
	require.NoError(t, err)
	_, _, err = client.Dequeue(t.Context(), mailer.Job(secret))
	require.ErrorContains(t, err, "cannot be found by their arguments")
	n, ok, err := client.DequeueClass(t.Context(), mailer.AnyJob())
	require.NoError(t, err)
	assert.True(t, ok)
	assert.EqualValues(t, 1, n)
}

func TestMiddlewareOfClientAndMux(t *testing.T) {
	t.Parallel()
	b := boxOf("key")
	b.HideErrors = true
	cause := errors.New("no mailbox")
	mux := resque.NewMux()
	mux.Use(b.Middleware())
	mux.HandleFunc("Mailer", func(ctx context.Context, job *resque.Payload) error {
		inside, _ := resque.FromContext(ctx)
		assert.Same(t, job, inside)
		assert.Equal(t, `"ann@example.com"`, string(job.Args[0]))
		return resque.Discard(cause)
	})
	client, err := resque.New(nil, resque.Config{Inline: mux, EnqueueHooks: []resque.EnqueueMiddleware{b.EnqueueMiddleware()}, DequeueHooks: []resque.DequeueMiddleware{b.DequeueMiddleware()}})
	require.NoError(t, err)
	_, err = client.Enqueue(t.Context(), mail())
	require.ErrorIs(t, err, cause)
	assert.NotContains(t, err.Error(), "no mailbox")
}

func FuzzDecrypt(f *testing.F) {
	b := boxOf("key")
	f.Add(string(sealed(f, b, mail()).Raw))
	f.Add(`{"class":"A","args":[{"_encrypted":"v1","key":"key","data":"AAAA"}]}`)
	f.Add(`{"class":"A","args":[1]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		p, err := resque.ParsePayload("q", []byte(payload))
		if err != nil {
			return
		}
		args, err := b.Decrypt(p)
		if err == nil && resque.IsEncrypted(p.Args) && len(args) != 4 {
			t.Errorf("a payload that was not encrypted with the key was decrypted: %s", payload)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	client, err := resque.New(nil, resque.Config{Inline: resque.NewMux(), EnqueueHooks: []resque.EnqueueMiddleware{boxOf("key").EnqueueMiddleware()}})
	require.NoError(b, err)
	plain, err := resque.New(nil, resque.Config{Inline: resque.NewMux()})
	require.NoError(b, err)
	job := resque.Job{Queue: "q", Class: "Mailer", Args: []any{strings.Repeat("x", 1024)}}
	put := func(context.Context, string, []byte) error { return nil }
	for name, c := range map[string]*resque.Client{"encrypted": client, "plain": plain} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.EnqueueWith(b.Context(), job, put)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	handler := boxOf("key").Middleware()(resque.HandlerFunc(func(context.Context, *resque.Payload) error { return nil }))
	p := sealed(b, boxOf("key"), resque.Job{Queue: "q", Class: "Mailer", Args: []any{strings.Repeat("x", 1024)}})
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, handler.Perform(b.Context(), p))
	}
}
