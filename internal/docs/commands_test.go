package docs_test

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/cli/top"
	"github.com/goresque/goresque/demo"
)

// goresque returns the command as it is built in cmd/goresque.
func goresque() cli.App {
	app := demo.App(func(string) string { return "" })
	app.Commands = append(app.Commands, top.Command)
	return app
}

// flags are the flags of a command, each with its variables: --queue, and -q if it has a
// short form.
type flags map[string][]string

var (
	helpFlag    = regexp.MustCompile(`(?m)^ +(?:(-\w), )?(--[a-z-]+)(.*)$`)
	helpCommand = regexp.MustCompile(`(?m)^  ([a-z-]+) +\S`)
	variables   = regexp.MustCompile(`[A-Z][A-Z_]+`)
)

// commands returns the flags of each command by its name, such as "failed list". The
// command "" has those that all commands have.
func commands(t *testing.T) map[string]flags {
	t.Helper()
	found := map[string]flags{}
	app := goresque()
	var visit func(path []string)
	visit = func(path []string) {
		var out bytes.Buffer
		require.Zero(t, app.Run(t.Context(), append(slices.Clone(path), "--help"), nil, &out, &out), "%s", &out)
		help := out.String()
		part := func(title string) string {
			_, text, _ := strings.Cut(help, "\n"+title+":\n")
			text, _, _ = strings.Cut(text, "\n\n")
			return text + "\n"
		}
		all := flags{}
		for _, f := range helpFlag.FindAllStringSubmatch(part("Flags"), -1) {
			var names []string
			if list := regexp.MustCompile(`\[([A-Z_, ]+)\]`).FindStringSubmatch(f[3]); list != nil {
				names = variables.FindAllString(list[1], -1)
			}
			all[f[2]] = names
			if f[1] != "" {
				all[f[1]] = names
			}
		}
		delete(all, "--help")
		delete(all, "-h")
		found[strings.Join(path, " ")] = all
		for _, c := range helpCommand.FindAllStringSubmatch(part("Available Commands"), -1) {
			if c[1] != "completion" && c[1] != "help" { // cobra's
				visit(append(slices.Clone(path), c[1]))
			}
		}
	}
	visit(nil)
	require.Greater(t, len(found), 40)
	return found
}

// usage is a call of a command in a document: its name, and what follows it.
type usage struct {
	command string
	words   []string
}

// calls returns the commands that a line of a document calls; remove|enable are two.
func calls(all map[string]flags, line string) []usage {
	words := strings.Fields(strings.NewReplacer("[", " ", "]", " ").Replace(line))
	paths := []string{""}
	for len(words) > 0 {
		var next []string
		for _, p := range paths {
			for name := range strings.SplitSeq(words[0], "|") {
				if _, ok := all[strings.TrimSpace(p+" "+name)]; ok {
					next = append(next, strings.TrimSpace(p+" "+name))
				}
			}
		}
		if len(next) == 0 {
			break
		}
		paths, words = next, words[1:]
	}
	var found []usage
	for _, p := range paths {
		found = append(found, usage{p, words})
	}
	return found
}

// row is a row of a table of flags in docs/operations.md.
type row struct {
	section string
	command string // named before a flag, as in `work -q`
	flags   []string
	vars    []string
	hasVars bool // the table has a column of variables
}

// section is a part of a document between two headings of the second level.
type section struct {
	title string
	text  string
}

func sections(text string) []section {
	var found []section
	for _, part := range strings.Split(text, "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		found = append(found, section{title, body})
	}
	return found
}

var span = regexp.MustCompile("`([^`]+)`")

// flagRows returns the rows of a section's tables whose first column is flag.
func flagRows(s section) []row {
	var rows []row
	var header []string
	for line := range strings.Lines(s.text) {
		if !strings.HasPrefix(line, "|") {
			header = nil
			continue
		}
		cells := cells(line)
		if header == nil {
			header = cells
			continue
		}
		if header[0] != "flag" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		r := row{section: s.title, hasVars: len(header) > 1 && header[1] == "variable"}
		for _, f := range span.FindAllStringSubmatch(cells[0], -1) {
			words := strings.Fields(f[1])
			if !strings.HasPrefix(words[0], "-") {
				r.command, words = words[0], words[1:]
				for len(words) > 1 && !strings.HasPrefix(words[0], "-") {
					r.command, words = r.command+" "+words[0], words[1:]
				}
			}
			r.flags = append(r.flags, words[0])
		}
		if r.hasVars {
			for _, v := range span.FindAllStringSubmatch(cells[1], -1) {
				r.vars = append(r.vars, v[1])
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// cells returns the cells of a row of a table. A cell may have | in code.
func cells(line string) []string {
	var found []string
	for i, part := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
		if last := len(found) - 1; i > 0 && strings.Count(found[last], "`")%2 == 1 {
			found[last] += "|" + part
			continue
		}
		found = append(found, part)
	}
	for i := range found {
		found[i] = strings.TrimSpace(found[i])
	}
	return found
}

var usageLine = regexp.MustCompile(`(?m)^    goresque (.*)$`)

// docs/operations.md has every command, every flag and every variable, and no others. All
// documents call commands that exist, with flags that exist.
func TestOperationsAndTheCommandAgree(t *testing.T) {
	t.Parallel()
	all := commands(t)
	t.Run("flags", func(t *testing.T) { t.Parallel(); checkFlags(t, all) })
	t.Run("commands", func(t *testing.T) { t.Parallel(); checkCommands(t, all) })
	t.Run("calls", func(t *testing.T) { t.Parallel(); checkCalls(t, all) })
}

func checkFlags(t *testing.T, all map[string]flags) {
	t.Helper()
	parts := sections(read(t, "docs/operations.md"))
	documented := map[string]map[string]bool{}
	note := func(command, flag string) {
		if documented[command] == nil {
			documented[command] = map[string]bool{}
		}
		documented[command][flag] = true
	}
	source := sourceText(t)
	for _, s := range parts {
		var here []string // the commands of the section
		for _, line := range usageLine.FindAllStringSubmatch(s.text, -1) {
			for _, u := range calls(all, line[1]) {
				here = append(here, u.command)
				for _, word := range u.words {
					for part := range strings.SplitSeq(word, "|") {
						if strings.HasPrefix(part, "-") && assert.True(t, has(all, u.command, part), "%s: goresque %s has no flag %s", s.title, u.command, part) {
							note(u.command, part)
						}
					}
				}
			}
		}
		for _, r := range flagRows(s) {
			if len(r.flags) == 0 {
				for _, v := range r.vars {
					assert.True(t, strings.Contains(source, v), "%s: no code reads the variable %s", s.title, v)
				}
				continue
			}
			owners := owners(all, r, here)
			assert.NotEmpty(t, owners, "%s: no command has %s with the variables %s", s.title, strings.Join(r.flags, " "), r.vars)
			for _, command := range owners {
				for _, f := range r.flags {
					if _, ok := all[command][f]; ok {
						note(command, f)
					}
				}
			}
		}
	}
	for command, own := range all {
		for f := range own {
			if strings.HasPrefix(f, "--") {
				assert.True(t, documented[command][f], "docs/operations.md does not have %s of goresque %s", f, command)
			}
		}
	}
}

// hasCommands reports whether there are commands below a command.
func hasCommands(all map[string]flags, command string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(c string) bool { return strings.HasPrefix(c, command+" ") })
}

// owners returns the commands that a row is about: those that it names, or else those of
// its section, or else all that have its flags. If the table has variables, those of the
// flags are those of the row.
func owners(all map[string]flags, r row, here []string) []string {
	var found []string
	for command, own := range all {
		switch {
		case r.command == "work" && command == "workers": // which has the flags of work
		case r.command != "" && command != r.command && !strings.HasPrefix(command, r.command+" "):
			continue
		case r.command == "" && len(here) > 0 && !slices.Contains(here, command):
			continue
		}
		var vars []string
		n := 0
		for _, f := range r.flags {
			if names, ok := own[f]; ok {
				n++
				vars = append(vars, names...)
			}
		}
		sameVars := slices.Equal(slices.Compact(slices.Sorted(slices.Values(vars))), slices.Sorted(slices.Values(r.vars)))
		if (n == len(r.flags) && sameVars) || (n > 0 && !r.hasVars) {
			found = append(found, command)
		}
	}
	return found
}

// has reports whether a command has a flag, perhaps one that all have.
func has(all map[string]flags, command, flag string) bool {
	flag, _, _ = strings.Cut(flag, "=")
	if flag == "--help" || flag == "-h" {
		return true
	}
	_, own := all[command][flag]
	_, common := all[""][flag]
	return own || common
}

func checkCommands(t *testing.T, all map[string]flags) {
	t.Helper()
	shown := map[string]bool{}
	text := read(t, "docs/operations.md")
	for _, line := range usageLine.FindAllStringSubmatch(text, -1) {
		for _, u := range calls(all, line[1]) {
			shown[u.command] = true
		}
	}
	for command := range all {
		assert.True(t, command == "" || hasCommands(all, command) || shown[command], "docs/operations.md does not show how to call goresque %s", command)
	}
}

var (
	indented = regexp.MustCompile(`(?m)^    .*$`)
	call     = regexp.MustCompile(`^(?:\$ )?(?:[A-Z_]+=\S+ )*goresque ([a-z].*)`)
)

// shownCode returns the lines of a document's blocks and its spans of code.
func shownCode(text string) []string {
	var lines []string
	for _, block := range fence.FindAllString(text, -1) {
		lines = append(lines, strings.Split(block, "\n")...)
	}
	text = fence.ReplaceAllString(text, "")
	lines = append(lines, indented.FindAllString(text, -1)...)
	for _, s := range span.FindAllStringSubmatch(text, -1) {
		lines = append(lines, s[1])
	}
	return lines
}

func checkCalls(t *testing.T, all map[string]flags) {
	t.Helper()
	checked := 0
	for _, document := range documents(t) {
		for _, code := range shownCode(read(t, document)) {
			found := call.FindStringSubmatch(strings.TrimSpace(code))
			if found == nil || slices.Contains([]string{"completion", "help", "supervise"}, strings.Fields(found[1])[0]) {
				continue
			}
			line, _, _ := strings.Cut(found[1], " #")
			line, _, _ = strings.Cut(line, " | ")
			line, _, _ = strings.Cut(line, " && ")
			for _, u := range calls(all, line) {
				unknown := len(u.words) > 0 && hasCommands(all, u.command) && regexp.MustCompile(`^[a-z-]+$`).MatchString(u.words[0])
				assert.False(t, u.command == "" || unknown, "%s: no command %q", document, line)
				for _, word := range u.words {
					for part := range strings.SplitSeq(word, "|") {
						if regexp.MustCompile(`^--?[a-z]`).MatchString(part) {
							checked++
							assert.True(t, has(all, u.command, part), "%s: goresque %s has no flag %s", document, u.command, part)
						}
					}
				}
			}
		}
	}
	assert.Greater(t, checked, 50)
}
