package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/resque"
)

// A command must not take what stands in the worker's environment for the arguments
// of its job, above all if those are too long for a variable.
func TestArgumentsOfTheEnvironmentDoNotReachACommand(t *testing.T) {
	t.Setenv("RESQUE_ARGS", "[\"another's\"]")
	args := func(arg string) []string {
		job := &resque.Payload{Class: "A", Args: []json.RawMessage{json.RawMessage(arg)}}
		return slices.DeleteFunc((&shellJob{}).environ(job), func(pair string) bool { return !strings.HasPrefix(pair, "RESQUE_ARGS=") })
	}
	assert.Equal(t, []string{"RESQUE_ARGS=[1]"}, args("1"))
	assert.Empty(t, args(`"`+strings.Repeat("x", longestArgs)+`"`))
}
