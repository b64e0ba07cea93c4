package resque

import (
	"bytes"
	"context"

	"github.com/goresque/goresque/internal/policy"
	"github.com/goresque/goresque/internal/store"
)

// members are members of batches that were removed or restored, by the ids of their
// batches. See package resque/batch. They are counted after they were removed: if the
// process dies in between, their batches do not become complete.
type members map[string][]int64

// add adds the job of a payload, if it is a member of a batch.
func (m members) add(payload []byte) {
	if mark, ok := policy.MarkOf(payload); ok {
		m[mark.ID] = append(m[mark.ID], mark.N)
	}
}

// count counts the members. It continues if ctx has ended, because they are removed
// already.
func (m members) count(ctx context.Context, s *store.Store, how store.HowEnded) error {
	for id, numbers := range m {
		if err := s.EndMembers(context.WithoutCancel(ctx), id, numbers, how); err != nil {
			return wrapped(err)
		}
	}
	return nil
}

// hasPending reports whether a batch waits for members. Then queues cannot be cleared
// without looking at their jobs.
func hasPending(ctx context.Context, s *store.Store) (bool, error) {
	found, err := s.AnyBatch(ctx, func(b store.BatchState) bool { return b.Pending > 0 })
	return found, wrapped(err)
}

// hasFailed reports whether a batch has failed members whose failures were not removed.
func hasFailed(ctx context.Context, s *store.Store) (bool, error) {
	found, err := s.AnyBatch(ctx, func(b store.BatchState) bool { return b.Failed > b.Abandoned })
	return found, wrapped(err)
}

// trashed returns the members in a trash, which is about to be restored.
func trashed(ctx context.Context, s *store.Store, token string) (members, error) {
	found, err := s.AnyBatch(ctx, func(b store.BatchState) bool { return b.Abandoned > 0 })
	if err != nil || !found {
		return nil, wrapped(err)
	}
	m := members{}
	const part = 100
	for first := int64(0); ; first += part {
		entries, err := s.TrashPart(ctx, token, first, part)
		if err != nil || len(entries) == 0 {
			return m, wrapped(err)
		}
		for _, entry := range entries {
			m.addTrashed(entry)
		}
	}
}

// addTrashed adds the job of an entry of a trash: a payload, the record of a failure, or a
// time and a payload.
func (m members) addTrashed(entry []byte) {
	if !policy.MayBeMember(entry) {
		return
	}
	if at := bytes.IndexByte(entry, '{'); at > 0 {
		entry = entry[at:]
	}
	if inside := parseRecord(entry).member(payload); inside != nil {
		entry = inside
	}
	m.add(entry)
}
