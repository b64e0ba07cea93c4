package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/token"
	"net/url"
	"strconv"
	"strings"

	"github.com/goresque/goresque/resque"
)

// textCopy is a text for the reader to take along.
type textCopy struct{ Title, Text string }

// copies are the failure as JSON, the command that retries it, and a test that
// performs it. What readers may not see is in none of them.
func (h *Dashboard) copies(q *request, f resque.FailedJob) []textCopy {
	var all []textCopy
	if !h.hides() {
		var out bytes.Buffer
		if json.Indent(&out, f.Raw, "", "  ") != nil {
			out.Reset()
			out.Write(f.Raw)
		}
		all = append(all, textCopy{t("As JSON"), out.String()})
	}
	all = append(all, textCopy{t("Retry by curl"), curlOf(q, f.ID)})
	if !h.hides() && f.Class != "" {
		all = append(all, textCopy{t("As a Go test"), goTest(f)})
	}
	return all
}

// curlOf is the command that retries a failure, at the address that the reader has.
func curlOf(q *request, id resque.FailureID) string {
	scheme := "http"
	if q.TLS != nil {
		scheme = "https"
	}
	asked, _, _ := strings.Cut(q.RequestURI, "?")
	mount, _, _ := strings.Cut(asked, "/failures/")
	address := scheme + "://" + q.Host + mount + "/failed/requeue/" + url.PathEscape(id.String())
	return "curl -X POST -H 'Accept: application/json' " + shellQuote(address)
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// goTest is a test that performs the job as it failed.
func goTest(f resque.FailedJob) string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, f.Class)
	if name == "" || !token.IsIdentifier("Test"+name) {
		name = "Job"
	}
	payload := strconv.Quote(string(f.Original()))
	if strconv.CanBackquote(string(f.Original())) {
		payload = "`" + string(f.Original()) + "`"
	}
	return fmt.Sprintf(`// It failed with %s: %s
func Test%s(t *testing.T) {
	job, err := resque.ParseReserved(%s, []byte(%s))
	require.NoError(t, err)
	require.NoError(t, mux().Perform(t.Context(), job)) // your mux
}
`, oneLine(f.Exception), oneLine(cut(200, f.Error)), name, strconv.Quote(f.Queue), payload)
}

// oneLine is a text that cannot end a comment.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
