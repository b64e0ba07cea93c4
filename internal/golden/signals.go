package golden

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed signals.jsonl
var signals string

// SignalCase is a recording of what Ruby's worker does on signals. A job that
// takes JobSeconds was running, and a second job, Polite, which takes 0.1 s, was
// in the queue. The first signal was sent 0.3 s after the job began. Numbers in
// Signals are pauses in seconds.
type SignalCase struct {
	Case          string            `json:"case"`
	Env           map[string]string `json:"env"`
	Job           string            `json:"job"`
	JobSeconds    float64           `json:"job_seconds"`
	Signals       []any             `json:"signals"`
	SecondsToExit float64           `json:"seconds_to_exit"`
	Log           []string          `json:"log"`
	LogAfterPause []string          `json:"log_after_pause"`
	Failed        []SignalFailure   `json:"failed"`
	LeftInQueue   int               `json:"left_in_queue"`
	Processed     int               `json:"stat_processed"`
	FailedCount   int               `json:"stat_failed"`
	WorkersLeft   int               `json:"workers_left"`
	TermSignal    int               `json:"term_signal"`
}

// SignalFailure is a failure that a signal caused. The pid in Error is "{PID}".
type SignalFailure struct {
	Exception string `json:"exception"`
	Error     string `json:"error"`
	Class     string `json:"class"`
}

// Signals returns the recorded cases.
func Signals(t testing.TB) []SignalCase {
	t.Helper()
	var cases []SignalCase
	for line := range strings.Lines(signals) {
		var c SignalCase
		require.NoError(t, json.Unmarshal([]byte(line), &c), line)
		cases = append(cases, c)
	}
	return cases
}
