package cron_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/cron"
	"github.com/goresque/goresque/internal/redistest"
)

// ruby runs a script of testdata with one line of JSON for each input, and returns
// the lines that it writes. It skips the test if Ruby does not have the library.
func ruby(t *testing.T, library, script string, inputs []any) []string {
	t.Helper()
	have := exec.Command("ruby", "-r"+library, "-e", "").Run() == nil
	if !have {
		t.Logf("needs Ruby with %s", library)
	}
	redistest.Require(t, "ruby", have)
	var input, stderr bytes.Buffer
	for _, i := range inputs {
		line, err := json.Marshal(i)
		require.NoError(t, err)
		input.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), "ruby", "testdata/"+script)
	cmd.Stdin, cmd.Stderr = &input, &stderr
	output, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	return strings.Split(strings.TrimSpace(string(output)), "\n")
}

// TestFugitGivesTheSameTimes compares random lines at random times, many of them
// near a change of clocks. What Parse accepts, fugit must accept, with the same
// times. What fugit accepts, Parse must accept, or refuse for one of the reasons
// that refused lists.
func TestFugitGivesTheSameTimes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	type sample struct {
		line, zone string
		from       time.Time
	}
	var samples []sample
	var inputs []any
	for range 500 {
		s := sample{line: randomLine(random), zone: pick(random, "UTC", "Europe/Stockholm", "America/New_York", "Asia/Kathmandu")}
		change := pick(random, "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z", "2028-02-29T00:00:00Z")
		at, err := time.Parse(time.RFC3339, change)
		require.NoError(t, err)
		zone, err := time.LoadLocation(s.zone)
		require.NoError(t, err)
		s.from = at.Add(time.Duration(random.IntN(72*3600)-48*3600) * time.Second).In(zone)
		samples = append(samples, s)
		inputs = append(inputs, []any{s.line, s.from.Unix(), s.zone})
	}
	replies := ruby(t, "fugit", "fugit.rb", inputs)
	version := replies[0]
	accepted := 0
	for i, s := range samples {
		var want []int64
		require.NoError(t, json.Unmarshal([]byte(replies[i+1]), &want))
		about := fmt.Sprintf("fugit %s: %q from %v", version, s.line, s.from)
		schedule, err := cron.Parse(s.line)
		if err != nil {
			require.True(t, len(want) == 0 || refused(err), "%s: %v, but Ruby says %v", about, err, want)
			continue
		}
		accepted++
		schedule.MondayWeeks = mondayWeeks(t, version)
		require.NotEmpty(t, want, "%s: Ruby refuses it", about)
		for n, at := range following(t, schedule, s.from, len(want)) {
			require.Equal(t, time.Unix(want[n], 0).In(at.Location()), at, "%s: time %d", about, n)
		}
	}
	require.Greater(t, accepted, len(samples)/2)
}

// refused reports whether Parse refuses a line that Ruby reads, on purpose.
func refused(err error) bool {
	for _, reason := range []string{"versions of fugit", "hour 24 cannot be", "write a step from 1"} {
		if strings.Contains(err.Error(), reason) {
			return true
		}
	}
	return false
}

// mondayWeeks reports whether a version of fugit requires et-orbi 1.4.
func mondayWeeks(t *testing.T, version string) bool {
	t.Helper()
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	require.NoError(t, err)
	return major != "1" || n >= 12
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// randomLine returns a line of elements that one field or another accepts.
func randomLine(random *rand.Rand) string {
	number := func(low, high int) string { return strconv.Itoa(low + random.IntN(high-low+1)) }
	field := func(value func() string) string {
		var parts []string
		for range pick(random, 1, 1, 1, 2) {
			part := pick(random, "*", "*", value(), value(), value()+"-"+value())
			if random.IntN(4) == 0 {
				part += "/" + number(1, 9)
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, ",")
	}
	often := func(text string) string { return pick(random, "*", "*", text) }
	minute := func() string { return number(0, 59) }
	day := func() string { return pick(random, number(1, 31), number(1, 31), number(-31, -1), "L", "last") }
	month := func() string { return pick(random, number(1, 12), "feb", "DEC") }
	weekday := func() string { return pick(random, number(0, 7), "mon", "Tue", "sat") }
	weekdays := field(weekday)
	if random.IntN(3) == 0 {
		weekdays = weekday() + pick(random, "#2", "#-1", "#L", "#5", "%2", "%3+1", "%4+2") + pick(random, "", ",wed", ",thu#1")
	}
	fields := []string{field(minute), field(func() string { return number(0, 24) }), often(field(day)), often(field(month)), often(weekdays)}
	if random.IntN(5) == 0 {
		fields = append([]string{field(minute)}, fields...)
	}
	if random.IntN(2) == 0 {
		fields = append(fields, pick(random, "Europe/Stockholm", "America/New_York", "UTC", "+09:00", "-0330"))
	}
	return strings.Join(fields, " ")
}

func TestRufusReadsTheSameIntervals(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	texts := []string{"1h,", ",1h", "P", "PT", "PT-1H2M", "-1h 2h", "1h -30m", "1h-30m", "1.h", ".5h", "1Months", "1MIN", "1ss", "0.29s", "1h0s", "1hand2m"}
	for range 1000 {
		var text strings.Builder
		for range 1 + random.IntN(3) {
			text.WriteString(pick(random, "", "", "", "-", "+") + pick(random, "1", "20", "1.5", ".5", "0", "3.") + pick(random, "", "", " ") +
				pick(random, "", "s", "secs", "second", "m", "min", "minutes", "M", "month", "h", "H", "hours", "d", "Day", "w", "weeks", "y", "years", "ms") +
				pick(random, "", "", " ", ",", " and "))
		}
		texts = append(texts, text.String(), pick(random, "P", "PT")+text.String())
	}
	var inputs []any
	for _, text := range texts {
		inputs = append(inputs, []string{text})
	}
	for i, reply := range ruby(t, "rufus-scheduler", "rufus.rb", inputs) {
		var want []float64
		require.NoError(t, json.Unmarshal([]byte(reply), &want), reply)
		d, err := cron.ParseEvery(texts[i])
		if len(want) == 0 {
			require.Error(t, err, "rufus-scheduler refuses %q, Go says %v", texts[i], d)
			continue
		}
		require.NoError(t, err, "%q is %v s for rufus-scheduler", texts[i], want)
		require.InDelta(t, want[0], d.Seconds(), 1e-6, texts[i])
	}
}
