package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/worker"
)

// several is the number of jobs that each side enqueues for the other.
const several = 3000

// startNode runs a server. It skips the test if node or node-resque is missing.
func startNode(t *testing.T) *redistest.Server {
	t.Helper()
	_, err := os.Stat("testdata/node/node_modules/node-resque")
	if err == nil {
		err = exec.Command("node", "--version").Run()
	}
	if err != nil {
		t.Log("needs node and node-resque: run npm ci in internal/interop/testdata/node")
	}
	redistest.Require(t, "node", err == nil)
	return redistest.StartReal(t)
}

// node runs a script of testdata/node on server and returns its output.
func node(t *testing.T, server *redistest.Server, script string, args ...string) string {
	t.Helper()
	cmd := append([]string{"node", filepath.Join("testdata", "node", script)}, args...)
	return run(t, []string{"REDIS_URL=" + server.URL}, cmd...)
}

// forNode returns the first n jobs of testdata/node/mixed.js.
func forNode(t *testing.T, n int) []resque.Job {
	t.Helper()
	jobs := make([]resque.Job, n)
	for i := range jobs {
		args := slices.Concat([]any{i}, kindForNode(i))
		jobs[i] = resque.Job{Queue: "mixed", Class: "Mixed", Args: args}
	}
	return jobs
}

func kindForNode(i int) []any {
	f := float64(i)
	switch i % 8 {
	case 0: // the conversions round each step to 64 bits, as JavaScript does
		return []any{float64(f*1e9) + 0.5, (f + 1) / -7, 1e21 + float64(f*1e18), f * 1e-9}
	case 1:
		return symbols(i)
	case 2:
		return hash(i)
	case 3:
		return long(i)
	case 4:
		return nested(i)
	case 5:
		return []any{nil, true, false, "", "tab\tline\nquote\"back\\slash/", "\u007f\u0001"}
	case 6:
		return []any{1<<53 - 1, -(1<<53 - 1), 0}
	default:
		return nil
	}
}

// fromNode returns the payload that node-resque writes for a job. It has the queue.
func fromNode(t *testing.T, job resque.Job) string {
	t.Helper()
	var b bytes.Buffer
	spell := json.NewEncoder(&b)
	spell.SetEscapeHTML(false)
	require.NoError(t, spell.Encode(struct {
		Class string `json:"class"`
		Queue string `json:"queue"`
		Args  []any  `json:"args"`
	}{job.Class, job.Queue, job.Args}))
	return strings.NewReplacer(`\u2028`, "\u2028", "\n", "").Replace(b.String())
}

func fromNodeAll(t *testing.T, jobs []resque.Job) []string {
	t.Helper()
	var texts []string
	for _, job := range jobs {
		texts = append(texts, fromNode(t, job))
	}
	return texts
}

func TestManyJobsFromNodeToGo(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	node(t, server, "enqueue.js", "0", strconv.Itoa(several))
	require.Equal(t, counts{Pending: several, Queues: 1}, counted(t, server))

	var done performedJobs
	w := newWorker(t, server, done.handler(fromNodeAll(t, forNode(t, several)), everyHundredth), worker.Config{
		Queues: []string{"mixed"}, Concurrency: 8, UntilEmpty: true,
	})
	require.NoError(t, w.Run(t.Context()))
	done.requireOnce(t, server, several)
	assert.Equal(t, counts{Processed: several, Failed: several / 100, Queues: 1}, counted(t, server))
}

// workOutput is the output of work.js.
type workOutput struct {
	Seen   []int
	Differ []json.RawMessage
}

func (w workOutput) requireOnce(t *testing.T, n int) {
	t.Helper()
	require.Empty(t, w.Differ)
	slices.Sort(w.Seen)
	require.Len(t, w.Seen, n)
	for i, seen := range w.Seen {
		require.Equal(t, i, seen)
	}
}

func TestManyJobsFromGoToNode(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	enqueue(t, server, forNode(t, several)...)
	reply[workOutput](t, node(t, server, "work.js")).requireOnce(t, several)
	assert.Equal(t, counts{
		Processed: several - several/100, // node-resque does not count failures as processed
		Failed:    several / 100, Queues: 1,
	}, counted(t, server))
}

// lookOutput is the output of look.js.
type lookOutput struct {
	Queues      []string
	Length      int
	Workers     map[string]string
	Working     map[string]json.RawMessage
	Stats       map[string]string
	Failed      []map[string]any
	FailedCount int
}

func TestNodeReadsWhatGoWrote(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	w := busy(t, server, 1, "exports", "mail")
	enqueue(t, server, forNode(t, 3)...)
	got := reply[lookOutput](t, node(t, server, "look.js"))

	id := w.IDs()[0]
	name := strings.TrimSuffix(id, ":exports,mail")
	assert.Equal(t, []string{"exports", "mixed"}, got.Queues)
	assert.Equal(t, 3, got.Length)
	assert.Equal(t, map[string]string{name: "exports,mail"}, got.Workers)
	assert.JSONEq(t, `"started"`, string(got.Working[name]), "Go's records have no worker's name, as Ruby's have none")
	assert.Equal(t, map[string]string{
		"processed": "3", "processed:" + id: "3", "failed": "2", "failed:" + id: "2",
	}, got.Stats)
	assert.Equal(t, 2, got.FailedCount)
	require.Len(t, got.Failed, 2)
	assert.Equal(t, payload("Exporter", 2.0), got.Failed[0]["payload"])
	assert.Equal(t, "no export 2", got.Failed[0]["error"])
	assert.Equal(t, "panic: no export 3", got.Failed[1]["error"])
}

// To retry a failure, node-resque removes the bytes that it would have written
// itself. So failures with floats that Ruby spells differently stay.
func TestNodeRetriesGoFailures(t *testing.T) {
	t.Parallel()
	const n, stay = 160, 20
	server := startNode(t)
	jobs := forNode(t, n)
	failInGo(t, server, jobs)
	assert.Equal(t, strconv.Itoa(n-stay), strings.TrimSpace(node(t, server, "retry.js")))

	want, stayed := payloads(t, jobs), 0
	var back []string
	for i, job := range jobs {
		if i%8 == 0 {
			assert.Equal(t, want[i], failedPayloads(t, server)[stayed])
			stayed++
			continue
		}
		back = append(back, fromNode(t, job))
	}
	assert.Len(t, failures(t, server), stay)
	assert.Equal(t, back, list(t, server, "resque:queue:mixed"))
}

// docs/wire.md documents this form.
func TestNodeRecordsFailuresInItsOwnForm(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	const n = 200
	enqueue(t, server, forNode(t, n)...)
	node(t, server, "work.js")
	records := list(t, server, "resque:failed")
	require.Len(t, records, n/100)

	assert.Regexp(t, `^{"worker":"[^:]+:\d+","queue":"mixed","payload":{.*},"exception":"TypeError",`+
		`"error":"no job 99","backtrace":\["    at [^"]+",.*\],"failed_at":"\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT[^"]+"}$`, records[0])
	failed := reply[failed](t, records[0])
	assert.Equal(t, payloads(t, forNode(t, n))[99], string(failed.Payload))
}

// A worker of node-resque is killed while it performs a job. Its record was written
// by cjson, which writes an empty array as an object, and it has no heartbeat.
func TestDeadNodeWorkersJobIsKept(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	enqueue(t, server, resque.Job{Queue: "mixed", Class: "Mixed"})
	hang(t, server)

	client := server.Client(t)
	workers, err := client.Workers(t.Context())
	require.NoError(t, err)
	require.Len(t, workers, 1)
	require.Equal(t, "peer:7:mixed", workers[0].ID)
	require.True(t, workers[0].Working)
	require.Equal(t, []string{"mixed"}, workers[0].Queues)
	work(t, server, resque.NewMux(), "mixed") // a worker also sweeps
	workers, err = client.Workers(t.Context())
	require.NoError(t, err)
	require.Len(t, workers, 1, "without a heartbeat it must not be pruned")

	_, err = client.Prune(t.Context(), "peer:7:mixed", resque.PruneOptions{Force: true})
	require.NoError(t, err)
	workers, err = client.Workers(t.Context())
	require.NoError(t, err)
	require.Empty(t, workers)
	left := failedPayloads(t, server)
	require.Len(t, left, 1)
	assert.JSONEq(t, `{"class":"Mixed","args":{}}`, left[0])

	_, err = server.Conn(t).Do("RPUSH", "resque:queue:mixed", left[0])
	require.NoError(t, err)
	done := 0
	mux := resque.NewMux()
	mux.Handle(resque.Define0("Mixed", "mixed").Handler(func(context.Context) error { done++; return nil }))
	work(t, server, mux, "mixed")
	assert.Equal(t, 1, done, "the job still has no arguments")
}

// hang starts a worker of node-resque and kills it when it has taken a job.
func hang(t *testing.T, server *redistest.Server) {
	t.Helper()
	cmd := exec.Command("node", "testdata/node/hang.js")
	cmd.Env = append(os.Environ(), "REDIS_URL="+server.URL)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	assert.NoError(t, cmd.Process.Kill())
	assert.Error(t, cmd.Wait(), "must have been killed")
	require.NoError(t, err)
	require.Equal(t, "begun\n", line)
}

// node-resque cleans up workers whose jobs take long. It does not find the worker
// of a Go record, but still counts a failure.
func TestNodeCleaningKeepsGoWorkers(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	w := busy(t, server, 2, "exports")
	before := records(t, server, w)
	node(t, server, "clean.js")
	assert.Equal(t, before, records(t, server, w))
	workers, err := redis.Strings(server.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	assert.ElementsMatch(t, w.IDs(), workers)
	assert.Len(t, failures(t, server), 2)
	failed, err := redis.Int(server.Conn(t).Do("GET", "resque:stat:failed"))
	require.NoError(t, err)
	assert.Equal(t, 3, failed, "node-resque counts a failure that did not happen")

	// With a worker's name, it records a failure, although the job goes on.
	id := w.IDs()[0]
	node(t, server, "clean.js", strings.TrimSuffix(id, ":exports"))
	assert.Len(t, failures(t, server), 3)
	assert.Equal(t, before, records(t, server, w))
	workers, err = redis.Strings(server.Conn(t).Do("SMEMBERS", "resque:workers"))
	require.NoError(t, err)
	assert.NotContains(t, workers, id)
}

// node-resque loses payloads that are not JSON. Go keeps them as failures.
func TestNodeLosesUnreadablePayloads(t *testing.T) {
	t.Parallel()
	server := startNode(t)
	const broken = `{"class":"Mixed"`
	put := func() {
		_, err := server.Conn(t).Do("RPUSH", "resque:queue:mixed", broken)
		require.NoError(t, err)
	}
	put()
	reply[workOutput](t, node(t, server, "work.js")).requireOnce(t, 0)
	assert.Empty(t, list(t, server, "resque:queue:mixed"))
	assert.Empty(t, failures(t, server))

	put()
	work(t, server, resque.NewMux(), "mixed")
	assert.Len(t, failures(t, server), 1)
}
