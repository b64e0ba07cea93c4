package store

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/gomodule/redigo/redis"

	"github.com/goresque/goresque/internal/wire"
)

//go:embed rewrite.lua
var rewriteLua string

// rewriteRecords replaces the records of jobs whose payloads exchange.lua has not
// checked and Ruby could not read. A Ruby worker that boots before that, and takes
// this worker for dead, crashes.
func (s *Store) rewriteRecords(ctx context.Context, jobs []Reserved) error {
	for _, r := range jobs {
		if _, err := s.rewrite(ctx, r.Worker, r.Guard, r.Payload); err != nil {
			return err
		}
	}
	return nil
}

// RepairRecord rewrites the record of a Go worker that died before it could do so
// itself: exchange.lua does not check large payloads. If the worker is alive, it does
// no harm: both write the same text, and only over the record of the same reserve.
//
// It returns the beginning of a record that need not be rewritten. If the record still
// begins with seen, the result of an earlier call, it is not read again.
func (s *Store) RepairRecord(ctx context.Context, worker, seen string) (head string, repaired bool, err error) {
	const enough = 1023 // it has the run_at, which is unique
	var text []byte
	err = s.with(ctx, func(c conn) (err error) {
		head, err = redis.String(c.do("GETRANGE", s.keys.worker(worker), 0, enough))
		if err == nil && head != "" && head != seen {
			text, err = redis.Bytes(c.do("GET", s.keys.worker(worker)))
		}
		return err
	})
	if errors.Is(err, redis.ErrNil) { // it has just ended
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading the record of worker %q: %w", worker, err)
	}
	r, bad := wire.ParseRecord(text)
	if len(text) == 0 || bad != nil || !r.Damaged && wire.Recordable(r.Stored) ||
		!bytes.HasPrefix(text[len(r.Guard):], []byte(wire.PayloadMember)) { // another program wrote it
		return head, false, nil
	}
	repaired, err = s.rewrite(ctx, worker, r.Guard, r.Payload)
	return "", repaired, err
}

// rewrite replaces a record, if it begins with guard, with one that Ruby can read and
// that holds payload, which Ruby cannot read.
func (s *Store) rewrite(ctx context.Context, worker string, guard, payload []byte) (done bool, err error) {
	text := fmt.Appendf(nil, "%s%s%s}", guard, wire.PayloadMember, wire.UnreadablePayload(payload))
	err = s.with(ctx, func(c conn) (err error) {
		done, err = redis.Bool(c.script(s.scripts.rewrite, 1, s.keys.worker(worker), guard, text))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("rewriting the record of worker %q: %w", worker, err)
	}
	return done, nil
}

// completeLarge reads the payloads that exchange.lua has not returned because they
// are large, and rewrites the records that it has not checked and that Ruby could
// not read. The jobs are reserved whether or not this succeeds: a later exchange
// finds them in their records, and a sweep rewrites the records again.
func (s *Store) completeLarge(ctx context.Context, call *exchangeCall, x *Exchanged) {
	for _, i := range call.large {
		r := &x.Reserved[i]
		payload, ok, err := s.recordPayload(ctx, *r)
		if err != nil {
			x.More, x.Fault = true, errors.Join(x.Fault, err)
		}
		if !ok {
			continue
		}
		r.Payload = wire.RestorePayload(payload)
		if !wire.Recordable(payload) {
			call.unreadable = append(call.unreadable, *r)
		}
	}
	x.Reserved = slices.DeleteFunc(x.Reserved, func(r Reserved) bool { return r.Payload == nil })
	if err := s.rewriteRecords(ctx, call.unreadable); err != nil {
		x.Fault = errors.Join(x.Fault, err)
	}
}

// recordPayload reads the payload that exchange.lua has spliced into r's record.
// ok is false if the record is no longer of this reserve.
func (s *Store) recordPayload(ctx context.Context, r Reserved) (payload []byte, ok bool, err error) {
	var text []byte
	err = s.with(ctx, func(c conn) (err error) {
		text, err = redis.Bytes(c.do("GET", s.keys.worker(r.Worker)))
		return err
	})
	if err != nil && !errors.Is(err, redis.ErrNil) {
		return nil, false, fmt.Errorf("reading the record of worker %q: %w", r.Worker, err)
	}
	text, ours := bytes.CutPrefix(text, r.Guard)
	text, begins := bytes.CutPrefix(text, []byte(wire.PayloadMember))
	text, ends := bytes.CutSuffix(text, []byte("}"))
	return text, ours && begins && ends, nil
}
