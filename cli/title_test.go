package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/worker"
)

func TestTitleOfEachState(t *testing.T) {
	t.Parallel()
	at := func(second int64, queue, class string) worker.Working {
		return worker.Working{Queue: queue, Class: class, Since: time.Unix(1700000000+second, 5)}
	}
	child := at(0, "exports", "Exporter")
	child.Child = 4242
	for _, test := range []struct {
		want  string
		state worker.State
	}{
		{"Waiting for exports", worker.State{Queues: []string{"exports"}}},
		{"Waiting for a,b", worker.State{Queues: []string{"a", "b"}}},
		{"Waiting for ", worker.State{}},
		{"Paused", worker.State{Queues: []string{"exports"}, Paused: true}},
		{
			"Processing exports since 1700000000 [Exporter]",
			worker.State{Paused: true, Working: []worker.Working{at(0, "exports", "Exporter")}},
		},
		{
			"Processing mail,exports since 1700000003 [Mailer +2]",
			worker.State{Working: []worker.Working{
				at(9, "exports", "Exporter"), at(3, "mail", "Mailer"), at(4, "mail", "Mailer"),
			}},
		},
		{
			"Processing d,a,b,... since 1700000001 [D +3]",
			worker.State{Working: []worker.Working{at(2, "c", "C"), at(2, "b", "B"), at(2, "a", "A"), at(1, "d", "D")}},
		},
		{"Forked 4242 at 1700000000", worker.State{Working: []worker.Working{child}}},
		{"Forked 4242 +1 at 1700000000", worker.State{Working: []worker.Working{at(1, "a", "A"), child}}},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, doing(test.state))
		})
	}
}

func TestTitleLine(t *testing.T) {
	t.Parallel()
	begun := &title{prefix: "shop-goresque: "}
	assert.Equal(t, "shop-goresque: Waiting for a?b é", begun.line("Waiting for a\x00b é"))
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "aé", cut("aé", 3))
	assert.Equal(t, "a", cut("aé", 2))
	assert.Equal(t, "aé", cut("aéb", 3))
	assert.Empty(t, cut("é", 1))
	assert.Len(t, cut(strings.Repeat("é", 2000), 1023), 1022)
}
