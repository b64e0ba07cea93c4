package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/store"
)

// A counter that cannot grow keeps no job from ending, and the reply says why it did not grow.
func TestRefusedCountersAreReported(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*store.Store){"the short script": store.TryUsual, "the long script": store.SkipUsual} {
		for key, command := range map[string][]any{
			"resque:stat:processed":   {"RPUSH", "resque:stat:processed", "x"},
			"resque:stat:processed:w": {"SET", "resque:stat:processed:w", "many"},
		} {
			t.Run(name+" "+key, func(t *testing.T) {
				t.Parallel()
				both(t, func(t *testing.T, f fixture) {
					f.register(t, "w")
					f.push(t, "q", args("1"), args("2"))
					r := f.take(t, "w", "q")
					f.do(t, command[0].(string), command[1:]...)
					prepare(f.Store)
					x := f.exchange(t, []string{"q"}, []store.Outcome{f.done(r)}, f.slot("w"))
					require.Error(t, x.Uncounted)
					assert.Equal(t, []store.FinishResult{{Ours: true}}, x.Finished)
					require.Len(t, x.Reserved, 1)

					f.do(t, "DEL", key)
					prepare(f.Store)
					x = f.exchange(t, []string{"q"}, []store.Outcome{f.done(x.Reserved[0])}, f.slot("w"))
					require.NoError(t, x.Uncounted)
					assert.Equal(t, "1", f.get(t, key))
				})
			})
		}
	}
}
