package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/embedded"
)

func testFleet(t *testing.T) *Fleet {
	t.Helper()
	server, err := embedded.Start("")
	require.NoError(t, err)
	t.Cleanup(server.Close)
	rdb, err := resque.Open(resque.RedisConfig{URL: server.URL(), DialTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rdb.Close()) })
	client, err := resque.New(rdb, resque.Config{})
	require.NoError(t, err)
	return &Fleet{Client: client, Queue: "exports", Classes: []string{"Exporter"}, Mux: resque.NewMux(), Stored: noneStored}
}

func noneStored(context.Context) (map[int64]bool, error) { return map[int64]bool{}, nil }

// push adds payloads to the queue in one command.
func (f *Fleet) push(t *testing.T, payloads ...any) {
	t.Helper()
	c, err := f.Client.Redis().Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Do("RPUSH", append([]any{f.Client.Redis().Key("queue:exports")}, payloads...)...)
	require.NoError(t, err)
}

func TestJobsSkipsOtherAndUnreadableJobs(t *testing.T) {
	t.Parallel()
	f := testFleet(t)
	f.push(t, `{"class":"Exporter","args":[7]}`, `{"class":"Mailer","args":[8]}`, `not a job`, `{"class":"Exporter","args":["nine"]}`, `{"class":"Exporter","args":[10]}`)
	jobs, err := f.Jobs(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[int64]bool{7: true, 10: true}, jobs.Waiting)
	assert.False(t, jobs.Cut)
	assert.Empty(t, jobs.Running)
}

func TestJobsReportsThatALongQueueWasCut(t *testing.T) {
	t.Parallel()
	f := testFleet(t)
	others := make([]any, 9_998)
	for i := range others {
		others[i] = `{"class":"Mailer","args":[]}`
	}
	f.push(t, others...)
	f.push(t, `{"class":"Exporter","args":[1]}`)
	jobs, err := f.Jobs(t.Context())
	require.NoError(t, err)
	assert.True(t, jobs.Waiting[1])
	assert.False(t, jobs.Cut, "Cut after 9,999 jobs")

	f.push(t, `{"class":"Exporter","args":[2]}`, `{"class":"Exporter","args":[3]}`)
	jobs, err = f.Jobs(t.Context())
	require.NoError(t, err)
	assert.True(t, jobs.Waiting[2], "the 10,000th")
	assert.False(t, jobs.Waiting[3], "the 10,001st")
	assert.True(t, jobs.Cut)
}

func TestServesFollowsQueuePatterns(t *testing.T) {
	t.Parallel()
	for want, patterns := range map[bool][][]string{
		true:  {{"exports"}, {"*"}, {"low", "exp*"}, {"!mail", "*"}},
		false: {{}, {"mail"}, {"*", "!exports"}, {"!exp*", "*"}},
	} {
		for _, p := range patterns {
			assert.Equal(t, want, serves(p, "exports"), p)
		}
	}
}
