package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// explainMisuse makes all commands below root report wrong calls in words that name what was
// wrong and what to do, instead of those of cobra, pflag and strconv. call has the words of the
// call.
func explainMisuse(root *cobra.Command, call []string) {
	root.SetFlagErrorFunc(flagError)
	for _, cmd := range commandsBelow(root) {
		if cmd.Args != nil {
			cmd.Args = describeArgs(cmd.Args, call)
		}
	}
}

// commandsBelow returns the commands that a person can call, without cmd.
func commandsBelow(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, child := range cmd.Commands() {
		all = append(append(all, child), commandsBelow(child)...)
	}
	return all
}

// cobraArgs matches the errors of cobra's functions that check the number of arguments.
var cobraArgs = regexp.MustCompile(`^(accepts|requires) .*arg\(s\)|^unknown command `)

// describeArgs returns check with another text if the number of arguments is wrong.
func describeArgs(check cobra.PositionalArgs, call []string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil || !cobraArgs.MatchString(err.Error()) {
			return err
		}
		if cmd.HasSubCommands() {
			return unknownCommand(cmd, args[0])
		}
		if name := oneDash(cmd, call); name != "" {
			return UsageErrorf("-%s: use --%[1]s, with two dashes", name)
		}
		_, names, _ := strings.Cut(cmd.Use, " ")
		switch {
		case names == "" && cmd.Flag("queue") != nil:
			return UsageErrorf("unexpected argument %q: the command takes none; name queues with --queue %s", args[0], printable(args[0]))
		case names == "":
			return UsageErrorf("unexpected argument %q: the command takes none", args[0])
		}
		want := slices.DeleteFunc(strings.Fields(names), func(name string) bool { return strings.HasPrefix(name, "[") })
		if len(args) < len(want) {
			return UsageErrorf("missing %s: use '%s %s'", strings.TrimSuffix(strings.Join(want[len(args):], " and "), "…"), cmd.CommandPath(), names)
		}
		// Too many: the last one has no name.
		return UsageErrorf("unexpected argument %q: use '%s %s'", args[len(args)-1], cmd.CommandPath(), names)
	}
}

// oneDash returns the name of a long flag of cmd that call gives with one dash, which is the
// short flag of its first letter, or "".
func oneDash(cmd *cobra.Command, call []string) string {
	for _, word := range call {
		name, one := strings.CutPrefix(word, "-")
		name, _, _ = strings.Cut(name, "=")
		if word == "--" {
			return ""
		}
		if one && len(name) > 1 && cmd.Flags().Lookup(name) != nil && cmd.Flags().ShorthandLookup(name[:1]) != nil {
			return name
		}
	}
	return ""
}

// misuse returns err, which cobra has returned before it called cmd, in other words.
func misuse(cmd *cobra.Command, err error) error {
	text := err.Error()
	if found := regexp.MustCompile(`^unknown command ("(?:[^"\\]|\\.)*") for `).FindStringSubmatch(text); found != nil {
		if name, unquoteErr := strconv.Unquote(found[1]); unquoteErr == nil {
			return unknownCommand(cmd, name)
		}
	}
	if found := regexp.MustCompile(`\[([^]]*)\] were all set$`).FindStringSubmatch(text); found != nil {
		return UsageErrorf("give only one of --%s", strings.Join(strings.Fields(found[1]), " and --"))
	}
	return err
}

// otherWords returns words that other programs use for a command of ours.
func otherWords() map[string][]string {
	return map[string][]string{
		"remove": {"rm", "del", "delete"}, "release": {"rm", "del", "delete", "remove", "free"}, "clear": {"rm", "del", "delete", "remove"},
		"list": {"ls", "ps"}, "show": {"get", "cat"},
	}
}

// unknownCommand reports a command that does not exist, and those that may be meant: below
// cmd, or of that name anywhere.
func unknownCommand(cmd *cobra.Command, name string) error {
	var meant []string
	for _, other := range commandsBelow(cmd.Root()) {
		if other.Hidden || name == "" {
			continue
		}
		below := other.Parent() == cmd
		if slices.Contains(other.SuggestFor, name) || below && slices.Contains(otherWords()[other.Name()], name) || other.Name() == name || below && near(name, other.Name()) {
			meant = append(meant, "'"+other.CommandPath()+"'")
		}
	}
	text := fmt.Sprintf("unknown command %q", name)
	if cmd.HasParent() {
		text += " of " + cmd.Name()
	}
	if len(meant) > 0 {
		text += ": did you mean " + strings.Join(meant, " or ") + "?"
	}
	return &usageError{errors.New(text)}
}

// flagError returns err, which pflag has returned for a flag of cmd, in other words.
func flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return unknownCommand(cmd, args[0]) // whose flags are unknown
	}
	text := err.Error()
	if found := regexp.MustCompile(`(?s)^invalid argument "(.*)" for "(?:-., )?--([^"]*)" flag: (.*)$`).FindStringSubmatch(text); found != nil {
		if value, unquoteErr := strconv.Unquote(`"` + found[1] + `"`); unquoteErr == nil {
			return UsageErrorf("--%s: %s", found[2], invalid(cmd.Flag(found[2]), value, found[3]))
		}
	}
	if name, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		if name == "version" {
			return UsageErrorf("unknown flag --version: did you mean 'goresque version'?")
		}
		return unknownFlag(cmd, name)
	}
	if found := regexp.MustCompile(`^unknown shorthand flag: '(.*)' in (-.*)$`).FindStringSubmatch(text); found != nil {
		if name := strings.TrimLeft(found[2], "-"); cmd.Flag(name) != nil {
			return UsageErrorf("unknown flag -%s: use --%s, with two dashes", found[1], name)
		}
		return UsageErrorf("unknown flag -%s (put -- before arguments that begin with a dash)", found[1])
	}
	if found := regexp.MustCompile(`^flag needs an argument: (?:--(.*)|'.*' in (-.))`).FindStringSubmatch(text); found != nil {
		name := found[2]
		if found[1] != "" {
			name = "--" + found[1]
		}
		return UsageErrorf("%s needs a value", name)
	}
	return &usageError{err}
}

// unknownFlag reports a flag that does not exist, and one that may be meant.
func unknownFlag(cmd *cobra.Command, name string) error {
	name, _, _ = strings.Cut(name, "=")
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	if best := nearest(name, flags); best != "" {
		return UsageErrorf("unknown flag --%s: did you mean --%s?", name, best)
	}
	return UsageErrorf("unknown flag --%s", name)
}

// invalid returns what the value of a flag must be. cause is the error of its type, which has it
// unless the type is one of pflag's.
func invalid(f *pflag.Flag, value, cause string) string {
	want := map[string]string{
		"int": "a whole number", "int64": "a whole number", "float64": "a number", "bool": "true or false",
		"duration": "a duration with a unit, such as 90s, 10m or 1h30m", "stringSlice": "values separated by commas",
	}[f.Value.Type()]
	switch {
	case want == "" || strings.HasPrefix(cause, "want "):
		return cause
	case strings.HasSuffix(cause, strconv.ErrRange.Error()):
		want = "a smaller number"
	}
	return fmt.Sprintf("want %s, got %q", want, value)
}

// nearest returns the word that another one may be a misspelling of, or "".
func nearest(word string, words []string) string {
	best := ""
	for _, other := range words {
		if near(word, other) && (best == "" || distance(word, other) < distance(word, best)) {
			best = other
		}
	}
	return best
}

// near reports whether a word may be a misspelling of another one.
func near(word, other string) bool {
	return word != "" && (distance(word, other) <= min(2, len(other)/2) || len(word) > 1 && strings.HasPrefix(other, word))
}

// distance returns how many letters must be added, removed, replaced or swapped with the next
// one to get from one word to the other.
func distance(from, to string) int {
	a, b := []rune(strings.ToLower(from)), []rune(strings.ToLower(to))
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					rows[i][j] = min(rows[i][j], 1+rows[i-2][j-2])
				}
			}
		}
	}
	return rows[len(a)][len(b)]
}
