package scheduler_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/scheduler"
)

func load(t *testing.T, text string) ([]scheduler.Entry, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "schedule.yml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return scheduler.Load(file)
}

func TestLoadReadsRubysFile(t *testing.T) {
	t.Parallel()
	entries, err := load(t, `# <%= comments may have it %>
defaults: &defaults
  queue: high
  description: "shared"
nightly:
  cron: "0 3 * * * Europe/Stockholm"
  class: "::Reports::Nightly"
  queue: reports
  args:
    - 2026-01-15
    - 2026-01-15 12:00:00 Z
    - :sym
    - 1_000
    - 0o17
    - yes
    - ~
    - 1.0
    - 12:30
    - {days: 7, "on": off}
  rails_env: production, staging
Pulse:
  every: ["30s", {first_in: "2m", overlap: false}]
  <<: *defaults
  args: x
ByHand:
  class: ByHand
`)
	require.NoError(t, err)
	require.Len(t, entries, 4)
	nightly, pulse, byHand := entries[1], entries[2], entries[3]
	require.Equal(t, "0 3 * * * Europe/Stockholm", nightly.Cron)
	require.Equal(t, "production, staging", nightly.Env)
	payload, err := nightly.Job.Encode()
	require.NoError(t, err)
	require.Equal(t, `{"class":"Reports::Nightly","args":["2026-01-15","2026-01-15 12:00:00 UTC","sym",1000,"0o17",true,null,1.0,45000,{"days":7,"on":false}]}`, string(payload))
	require.Equal(t, []time.Duration{30 * time.Second, 2 * time.Minute}, []time.Duration{pulse.Every, pulse.FirstIn})
	require.Equal(t, "shared", pulse.Description)
	payload, err = pulse.Job.Encode()
	require.NoError(t, err)
	require.Equal(t, `{"class":"Pulse","args":["x"]}`, string(payload))
	require.Equal(t, resque.Job{Class: "ByHand"}, byHand.Job)
}

func TestLoadNamesFileLineAndReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a:\n  class: C\n  cron: \"60 * * * *\"\n": `schedule.yml:3: schedule "a": cron: invalid cron line "60 * * * *": minutes "60"`,
		"a:\n  every: 30\n":                        `schedule.yml:2: schedule "a": every: 30 is a number`,
		"a:\n  every: 30q\n":                       `:2: schedule "a": every: invalid duration "30q"`,
		"a:\n\n  every: [1h, {times: 3}]\n":        `:3: schedule "a": every: the option times is not supported`,
		"a:\n  every: <%= 30 %>s\n":                ":2: <% begins Ruby code (ERB)",
		"a: 1\n":                                   `:1: schedule "a": its value is not a mapping`,
		"- a\n":                                    ":1: write one mapping",
		"a: {every: 1h}\nb: {every: 1h}\na: {every: 2h}": `:3: schedule "a" is defined twice`,
		"a:\n  class: 5\n": `:2: schedule "a": class: 5 is not a string`,
		"a:\n  every: 1h\n  args: [!ruby/object:Foo {}]":  `not supported`,
		"a:\n  every: 1h\n  args:\n    - .inf\n":          ":4: schedule \"a\": .inf cannot be",
		"a:\n\tb: 1\n":                                    "schedule.yml: yaml: line 2",
		"a: &a\n  every: 1h\n  args: *a\n":                "nested too deeply",
		"a:\n  every: 1h\nb:\n  cron: x\nc:\n  cron: y\n": `:6: schedule "c"`, // each mistake
	} {
		_, err := load(t, text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := scheduler.Load(filepath.Join(t.TempDir(), "none.yml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	entries, err := load(t, "")
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestAliasesDoNotGrowWithoutLimit(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("a0: &a0 {args: [x, x, x, x, x, x, x, x, x]}\n")
	for i := 1; i < 20; i++ {
		fmt.Fprintf(&text, "a%d: &a%d {args: [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]}\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	_, err := load(t, text.String())
	require.Error(t, err)
}

func FuzzParseConfig(f *testing.F) {
	for _, text := range []string{`{"cron":["0 0 * * *",{"first_in":"120s"}],"class":"C"}`, `{"every":"1h","args":{"a":1},"queue":"q"}`, `{"every":["1h",{"first_in":300}]}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := scheduler.ParseConfig("name", text)
		if err != nil {
			return
		}
		config, err := scheduler.ConfigOf(e)
		if err != nil {
			return
		}
		again, err := scheduler.ParseConfig("name", config)
		require.NoError(t, err, config)
		require.Equal(t, e.Cron, again.Cron)
		require.Equal(t, e.Every, again.Every)
		require.Equal(t, e.FirstIn, again.FirstIn)
	})
}

// TestLoadReadsValuesAsRubyDoes compares the values of arguments with what Ruby's Psych
// and json make of them.
func TestLoadReadsValuesAsRubyDoes(t *testing.T) {
	t.Parallel()
	have := exec.Command("ruby", "-ryaml", "-e", "YAML.method(:unsafe_load)").Run() == nil
	if !have {
		t.Log("needs Ruby with Psych 4")
	}
	redistest.Require(t, "ruby", have)
	const args = `
    - [2026-01-15, 2026-01-15 12:00:00 Z, 2026-01-15 12:00:00, 2026-01-15 12:00:00 +01:00, 12:30, 01:02:03]
    - [1_000, 0o17, 017, 0x1F, 0b11, +5, -0, 12345678901234567890, 1.0, 1e3, 1.5e3, 1.5e+20, .5, 5., 1_0.5]
    - [yes, Yes, y, "yes", ~, {days: 7, "on": off, on: 1, 5: x}, 'é<>&', "\u2028"]
    - :sym
    - :"a b"
    - 1,000
    - >-
      folded
      text
`
	file := filepath.Join(t.TempDir(), "args.yml")
	require.NoError(t, os.WriteFile(file, []byte(args), 0o600))
	cmd := exec.CommandContext(t.Context(), "ruby", "-EUTF-8", "-ryaml", "-rjson", "-rdate", "-e", "puts JSON.generate(YAML.unsafe_load(File.read(ARGV[0])))", file)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stderr = t.Output()
	want, err := cmd.Output()
	require.NoError(t, err)
	entries, err := load(t, "x:\n  every: 1h\n  args:"+args)
	require.NoError(t, err)
	payload, err := entries[0].Job.Encode()
	require.NoError(t, err)
	require.Equal(t, `{"class":"x","args":`+strings.TrimSpace(string(want))+`}`, string(payload))
}
