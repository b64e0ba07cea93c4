package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

var errNotDone = errors.New("nothing was done")

// confirm asks whether to go on, unless yes says so already. Where nobody can
// answer, that is a wrong call: what cannot be taken back is not done by a script
// that did not say it meant to.
func (e *Env) confirm(yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if !e.asks {
		return UsageErrorf("this would %s: say --yes, as there is no terminal to ask on", what)
	}
	fmt.Fprintf(e.Stderr, "%s%s? [y/N] ", strings.ToUpper(what[:1]), what[1:])
	answer, err := bufio.NewReader(e.stdin).ReadString('\n')
	if err != nil && answer == "" { // such as /dev/null, which looks like a terminal
		fmt.Fprintln(e.Stderr)
		return UsageErrorf("this would %s: say --yes, as nobody answers", what)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errNotDone
	}
}
