package scheduler_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/rubyjson"
	"github.com/goresque/goresque/internal/wire"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

// No bytes in a delayed list, and no member of delayed_queue_schedule, stop the
// scheduler: each entry goes to a queue or to failed, and so does the job behind it.
func FuzzDelayedEntry(f *testing.F) {
	for _, entry := range []string{
		mail1, "", "{oops", "null", "[]", "\xff\xfe\x00", `{"class":"A"}`, `{"class":1,"queue":"q"}`, `{"queue":"\u0000"}`,
		`{"class":"A","queue":"a b:c,d\n"}`, `{"class":"A","queue":"q","custom_job_class":"B"}`, `{"queue":"q","class":"A","queue":null}`,
		`{"class":"A","args":[1],"queue":"mail","custom_job_class":{"class":"x"}}`, `{"class":"A","queue":"../failed"}`,
	} {
		f.Add(entry, "5")
	}
	f.Add(mail1, "word")
	f.Add(mail1, "last_enqueued_at")
	f.Add(mail1, "-5.5e3")
	s := redistest.StartEmbedded(f)
	c := rdb{s.Conn(f)}
	sched, err := scheduler.New(s.Client(f), scheduler.Config{Logger: (&log{}).logger()})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, entry, member string) {
		if len(member) > 100 {
			return
		}
		c.do(t, "FLUSHALL")
		c.do(t, "RPUSH", "resque:delayed:"+member, entry, mail2)
		c.do(t, "ZADD", "resque:delayed_queue_schedule", 5, member)
		for scheduler.Turn(t.Context(), sched) {
		}
		require.Zero(t, c.exists(t, "resque:delayed:"+member, "resque:delayed_queue_schedule"))
		mails := c.list(t, "resque:queue:mail")
		require.NotEmpty(t, mails)
		assert.Equal(t, `{"class":"Mail","args":[2]}`, mails[len(mails)-1])
		if failed := c.list(t, "resque:failed"); len(failed) == 1 {
			record := resque.ParseFailedJob(resque.FailedList, 0, []byte(failed[0]))
			assert.Equal(t, entry, string(wire.RestorePayload(record.Payload)))
			assert.True(t, utf8.ValidString(failed[0]))
			require.NoError(t, rubyjson.Valid([]byte(failed[0])))
			return
		}
		d, err := wire.ParseDelayed([]byte(entry))
		require.NoError(t, err, "%q was enqueued", entry)
		queue := c.list(t, "resque:queue:"+d.Queue)
		assert.NotEmpty(t, queue)
		_, err = resque.ParsePayload(d.Queue, []byte(queue[0]))
		require.NoError(t, err)
	})
}
