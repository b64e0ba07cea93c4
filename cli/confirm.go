package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

var errNotDone = errors.New("nothing was changed")

// confirm asks for confirmation, unless yes is set. Without a terminal it returns a
// usage error, because a script must request an action that cannot be undone with
// --yes.
func (e *Env) confirm(yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if !e.asks {
		return UsageErrorf("this would %s: confirm with --yes, because standard input is not a terminal", what)
	}
	fmt.Fprintf(e.Stderr, "%s%s? [y/N] ", strings.ToUpper(what[:1]), what[1:])
	answer, err := bufio.NewReader(e.stdin).ReadString('\n')
	if err != nil && answer == "" { // for example /dev/null, which looks like a terminal
		fmt.Fprintln(e.Stderr)
		return UsageErrorf("this would %s: confirm with --yes, because standard input has ended", what)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errNotDone
	}
}
