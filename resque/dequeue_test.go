package resque_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
)

// waitingTexts are the payloads in a queue.
func waitingTexts(t *testing.T, client *resque.Client, queue string) []string {
	t.Helper()
	texts := []string{}
	for job, err := range client.Peek(t.Context(), queue, 0, -1) {
		require.NotNil(t, job, err) // an unreadable job also has a payload
		texts = append(texts, string(job.Raw))
	}
	return texts
}

func push(t *testing.T, client *resque.Client, queue string, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		require.NoError(t, client.Push(t.Context(), queue, []byte(p)))
	}
}

func TestDequeueComparesClassAndArguments(t *testing.T) {
	t.Parallel()
	stay := []string{
		`{"class":"A","args":["<b>"]}`, `{"class":"A","args":["<b>&",1]}`, `{"class":"A","args":[["<b>&"]]}`, `{"class":"A","args":[]}`,
		`{"class":"A","args":{"0":"<b>&"}}`, `{"class":"A","args":["<b>&"],"class":"B"}`, `{"class":"B","args":["<b>&"]}`,
		`{"class":"A","args":["<b>&"]`, `["A","<b>&"]`,
	}
	gone := []string{
		`{"class":"A","args":["<b>&"]}`, // exactly what Ruby's dequeue removes
		`{"class":"A","args":["\u003cb\u003e\u0026"]}`,
		`{"args": [ "<b>&" ], "class": "\u0041"}`,
		`{"class":"A","args":["<b>&"],"enqueued_at":"2026-01-15T12:34:56Z"}`,
		`{"class":"A","args":["<b>&"],"enqueued_at":"2026-01-15T12:34:57Z","traceparent":"00-1-2-01"}`,
		`{"class":"A","args":["<b>&"]}`,
	}
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		for i := range max(len(stay), len(gone)) {
			for _, payloads := range [][]string{stay, gone} {
				if i < len(payloads) {
					_, err := c.Do("RPUSH", "resque:queue:q", payloads[i])
					require.NoError(t, err)
				}
			}
		}
		a := resque.Define1[string]("A", "q")
		removed, ok, err := client.Dequeue(t.Context(), a.Job("<b>&").WithMember("other", 1))
		require.NoError(t, err)
		assert.True(t, ok)
		assert.EqualValues(t, len(gone), removed)
		assert.Equal(t, stay, waitingIn(t, c, "q"))
		removed, _, err = client.Dequeue(t.Context(), a.Job("another"))
		require.NoError(t, err)
		assert.Zero(t, removed)
		removed, _, err = client.Dequeue(t.Context(), resque.Define0("A", "q").Job())
		require.NoError(t, err)
		assert.EqualValues(t, 1, removed, "a job without arguments only matches one without arguments")
	})
}

func TestDequeueComparesValues(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		push(t, client, "q", `{"class":"A","args":[9007199254740993,1e20,{"b":null,"a":[]}],"m":1}`, `{"class":"A","args":[9007199254740992,1e20,{"b":null,"a":[]}]}`,
			`{"class":"A","args":[9007199254740993,100000000000000000000,{"b":null,"a":[]}]}`, `{"class":"A","args":[9007199254740993,1e20,{"a":[],"b":null}]}`)
		type hash struct {
			B *int  `json:"b"`
			A []int `json:"a"`
		}
		job := resque.Job{Queue: "q", Class: "A", Args: []any{int64(9007199254740993), 1e20, hash{A: []int{}}}}
		removed, _, err := client.Dequeue(t.Context(), job)
		require.NoError(t, err)
		assert.EqualValues(t, 1, removed, "large integers are exact, 1e20 is not an integer, and the members of an object have an order")
		assert.Len(t, waitingTexts(t, client, "q"), 3)
	})
}

func TestDequeueFindsStampedJobs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	client, err := resque.New(s.Open(t), resque.Config{EnqueueHooks: []resque.EnqueueMiddleware{resque.StampEnqueuedAt}})
	require.NoError(t, err)
	for _, n := range []int{1, 2, 1} {
		_, err := client.Enqueue(t.Context(), exporter(n))
		require.NoError(t, err)
	}
	removed, ok, err := client.Dequeue(t.Context(), exporter(1))
	require.NoError(t, err)
	assert.True(t, ok)
	assert.EqualValues(t, 2, removed)
	assert.Equal(t, []int{2}, numbers(t, client, "exports"))
}

func TestDequeueClassReadsPayloads(t *testing.T) {
	t.Parallel()
	gone := []string{
		`{"class":"A::B","args":[1]}`,
		`{"class":"A::B","args":[{"class":"C"}]}`,
		` { "args" : [ ], "class" : "A::B" } `,
		`{"cl\u0061ss":"\u0041::B"}`,
		`{"class":"A::B","args":[[],{}],"more":null}`,
		`{"class":"C","class":"A::B"}`,
	}
	stay := []string{
		`{"class":"C","args":["A::B"]}`,
		`{"class":"A::Bc","args":[]}`,
		`{"class":"A::","args":[]}`,
		`{"class":"C","args":[{"class":"A::B"}]}`,
		`{"args":["class","A::B"],"class":"C"}`,
		`{"class":"A::B","class":"C"}`,
		`{"class":["A::B"]}`,
		`"A::B"`, `["A::B"]`, `5`, `null`,
		`{"class":"A::B"`, `{"class":"A::B`, `{"class":"`, `A::B`, ``, "{\"class\":\"A::B\xff",
	}
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client, c := s.Client(t), s.Conn(t)
		for i := range max(len(gone), len(stay)) {
			for _, payload := range [][]string{gone, stay} {
				if i < len(payload) {
					_, err := c.Do("RPUSH", "resque:queue:q", payload[i])
					require.NoError(t, err)
				}
			}
		}
		removed, ok, err := client.DequeueClass(t.Context(), resque.Job{Queue: "q", Class: "A::B", Args: []any{"any"}})
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, stay, waitingTexts(t, client, "q"))
		assert.EqualValues(t, len(gone), removed)

		removed, _, err = client.DequeueClass(t.Context(), resque.Job{Queue: "q", Class: "A::B"})
		require.NoError(t, err)
		assert.Zero(t, removed)
		removed, _, err = client.DequeueClass(t.Context(), resque.Job{Queue: "nobody", Class: "A::B"})
		require.NoError(t, err)
		assert.Zero(t, removed)
	})
}

func TestDequeueClassOfNames(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		for _, class := range []string{`Quote"d`, `Back\slash`, "Déjà", "<b>", "%s[a-z]*"} {
			for _, queued := range []string{class, "Other"} {
				_, err := client.Enqueue(t.Context(), resque.Job{Queue: "q", Class: queued})
				require.NoError(t, err)
			}
			removed, _, err := client.DequeueClass(t.Context(), resque.Job{Queue: "q", Class: class})
			require.NoError(t, err)
			assert.EqualValues(t, 1, removed, class)
		}
	})
}

// A long queue is looked through in parts; the order of what stays is kept.
func TestDequeueClassOfALongQueue(t *testing.T) {
	t.Parallel()
	redistest.Both(t, func(t *testing.T, s *redistest.Server) {
		client := s.Client(t)
		long := 9000
		if s.Real {
			long = 110_000
		}
		jobs := make([]resque.Job, long)
		for i := range jobs {
			jobs[i] = exporter(i)
			if i%3 == 0 && i > long-15_000 || i%1000 < 3 { // also where parts meet
				jobs[i] = resque.Job{Queue: "exports", Class: "Mailer", Args: []any{i / 6}} // and some of the same bytes
			}
		}
		_, err := client.EnqueueAll(t.Context(), jobs)
		require.NoError(t, err)
		removed, _, err := client.DequeueClass(t.Context(), resque.Job{Queue: "exports", Class: "Mailer"})
		require.NoError(t, err)
		want := []int{}
		for _, job := range jobs {
			if job.Class == "Exporter" {
				want = append(want, job.Args[0].(int))
			}
		}
		assert.True(t, slices.Equal(want, numbers(t, client, "exports")))
		assert.EqualValues(t, len(jobs)-len(want), removed)
	})
}

// While other goroutines push and pop, each job is either popped, removed or left,
// and no job of another class is removed.
func TestDequeueClassBesideWorkersAndProducers(t *testing.T) {
	t.Parallel()
	s := redistest.StartReal(t)
	client := s.Client(t)
	const each = 2000
	popped := make(chan string, 2*each)
	done := make(chan error, 2)
	go func() {
		for i := range each {
			if _, err := client.EnqueueAll(context.Background(), []resque.Job{exporter(i), {Queue: "exports", Class: "Mailer", Args: []any{i}}}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	go func() {
		for range each {
			job, ok, err := client.Pop(context.Background(), "exports")
			if err != nil {
				done <- err
				return
			}
			if ok {
				popped <- fmt.Sprint(job.Class, string(job.Args[0]))
			}
		}
		done <- nil
	}()
	total := int64(0)
	for running := 2; running > 0; {
		removed, _, err := client.DequeueClass(t.Context(), resque.Job{Queue: "exports", Class: "Mailer"})
		require.NoError(t, err)
		total += removed
		select {
		case err := <-done:
			require.NoError(t, err)
			running--
		default:
		}
	}
	close(popped)
	found := map[string]int{}
	for name := range popped {
		found[name]++
	}
	for _, job := range collect(t, client.Peek(t.Context(), "exports", 0, -1)) {
		found[fmt.Sprint(job.Class, string(job.Args[0]))]++
	}
	mailers := 0
	for i := range each {
		assert.Equal(t, 1, found[fmt.Sprint("Exporter", i)], "export %d", i)
		n := found[fmt.Sprint("Mailer", i)]
		assert.LessOrEqual(t, n, 1)
		mailers += n
	}
	assert.Equal(t, each, mailers+int(total))
}

func TestDequeueRefuses(t *testing.T) {
	t.Parallel()
	s := redistest.StartEmbedded(t)
	client := s.Client(t)
	for name, dequeue := range map[string]func(context.Context, resque.Job) (int64, bool, error){
		"by arguments": client.Dequeue, "by class": client.DequeueClass,
	} {
		_, ok, err := dequeue(t.Context(), resque.Job{Class: "A"})
		require.ErrorIs(t, err, resque.ErrNoQueue, name)
		assert.False(t, ok)
		_, _, err = dequeue(t.Context(), resque.Job{Queue: "q"})
		require.ErrorIs(t, err, resque.ErrNoClass, name)
		redisDo(t, s, "SET", "resque:queue:text", "x")
		_, ok, err = dequeue(t.Context(), resque.Job{Queue: "text", Class: "A"})
		require.ErrorContains(t, err, "WRONGTYPE", name)
		assert.False(t, ok)
	}
	_, _, err := client.Dequeue(t.Context(), resque.Job{Queue: "q", Class: "A", Args: []any{func() {}}})
	require.EqualError(t, err, "resque: A: argument 1: unsupported type func()")
}

func TestDequeueHooks(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	var calls []string
	s := redistest.StartEmbedded(t)
	client, err := resque.New(s.Open(t), resque.Config{DequeueHooks: []resque.DequeueMiddleware{
		resque.BeforeDequeue(func(_ context.Context, job resque.Job) (bool, error) {
			calls = append(calls, fmt.Sprint("client ", job.Args))
			return true, nil
		}),
	}})
	require.NoError(t, err)
	class := resque.Define1[string]("A", "q",
		resque.BeforeDequeue(func(_ context.Context, job resque.Job) (bool, error) {
			calls = append(calls, fmt.Sprint("before ", job.Args))
			if len(job.Args) == 1 && job.Args[0] == "bad" {
				return true, boom
			}
			return len(job.Args) == 0 || job.Args[0] != "no", nil
		}),
		resque.AfterDequeue(func(_ context.Context, job resque.Job) error {
			calls = append(calls, fmt.Sprint("after ", job.Args))
			if len(job.Args) == 1 && job.Args[0] == "late" {
				return boom
			}
			return nil
		}))
	for _, arg := range []string{"yes", "no", "bad", "late"} {
		_, err := client.Enqueue(t.Context(), class.Job(arg))
		require.NoError(t, err)
	}
	for _, c := range []struct {
		arg     string
		removed int
		ok      bool
		err     error
		calls   []string
	}{
		{"yes", 1, true, nil, []string{"client [yes]", "before [yes]", "after [yes]"}},
		{"yes", 0, true, nil, []string{"client [yes]", "before [yes]", "after [yes]"}}, // as in Ruby
		{"no", 0, false, nil, []string{"client [no]", "before [no]"}},
		{"bad", 0, false, boom, []string{"client [bad]", "before [bad]"}},
		{"late", 1, true, boom, []string{"client [late]", "before [late]", "after [late]"}},
	} {
		calls = nil
		removed, ok, err := client.Dequeue(t.Context(), class.Job(c.arg))
		require.ErrorIs(t, err, c.err, c.arg)
		assert.EqualValues(t, c.removed, removed, c.arg)
		assert.Equal(t, c.ok, ok, c.arg)
		assert.Equal(t, c.calls, calls)
	}
	calls = nil
	removed, ok, err := client.DequeueClass(t.Context(), class.AnyJob())
	require.NoError(t, err)
	assert.True(t, ok)
	assert.EqualValues(t, 2, removed)
	assert.Equal(t, []string{"client []", "before []", "after []"}, calls)
}
