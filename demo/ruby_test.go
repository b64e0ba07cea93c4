package demo

import (
	"html"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque/activejob"
)

// The payloads were recorded from Rails.
func TestJobsFromRailsArePerformed(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"6.1", "7.1.6", "8.1.3.1"} {
		for _, class := range []string{"ExporterJob", "Exporter"} {
			t.Run(version+" "+class, func(t *testing.T) {
				t.Parallel()
				f := setUp(t, 10, 0)
				f.newExport(t)
				_, _, err := f.client.RemoveQueue(t.Context(), "exports")
				require.NoError(t, err)
				all := golden.Family(t, "activejob-"+version)
				i := slices.IndexFunc(all, func(r golden.Recording) bool { return r.Name == "args_none" })
				payload := strings.NewReplacer(
					`"PlainJob"`, `"`+class+`"`, `"default"`, `"exports"`, `"arguments":[]`, `"arguments":[1]`).Replace(all[i].Pushed()[0])
				require.Contains(t, payload, activejob.JobWrapper)
				require.NoError(t, f.client.Push(t.Context(), "exports", []byte(payload)))

				jobs, err := f.app.fleet.Jobs(t.Context())
				require.NoError(t, err)
				assert.True(t, jobs.Waiting[1])
				f.workOff(t)
				assert.Equal(t, wantCSV(10), f.do(t, "GET", "/exports/1/download").body)
			})
		}
	}
}

func TestRubyCodeOnThePageEnqueuesTheJob(t *testing.T) {
	t.Parallel()
	redistest.Require(t, "ruby", exec.Command("ruby", "-rresque", "-e", "").Run() == nil)
	redistest.Require(t, "rails", exec.Command("ruby", "-ractive_job", "-e", "").Run() == nil)
	for _, line := range []string{`Resque.enqueue Exporter, 1`, `ExporterJob.perform_later 1`} {
		f := setUp(t, 10, 0)
		f.newExport(t)
		page := f.do(t, http.MethodGet, "/exports").body
		_, _, err := f.client.RemoveQueue(t.Context(), "exports")
		require.NoError(t, err)
		var code []string
		for _, pre := range regexp.MustCompile(`(?s)<pre>(.*?)</pre>`).FindAllStringSubmatch(page, -1) {
			code = append(code, html.UnescapeString(pre[1]))
		}
		require.Contains(t, code, line)
		require.NotEmpty(t, code[len(code)-1])

		cmd := exec.CommandContext(t.Context(), "ruby", "testdata/join_in.rb")
		cmd.Env = append(os.Environ(), "REDIS_URL="+f.redis.URL())
		cmd.Stdin = strings.NewReader(code[len(code)-1] + "\n" + line)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		f.workOff(t)
		assert.Empty(t, f.failures(t))
		assert.Equal(t, wantCSV(10), f.do(t, http.MethodGet, "/exports/1/download").body, line)
	}
}
