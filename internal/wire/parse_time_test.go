package wire_test

import (
	"archive/zip"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/golden"
	"github.com/goresque/goresque/internal/redistest"
	"github.com/goresque/goresque/internal/wire"
)

func noon() time.Time { return time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC) }

func TestParseTimeReadsEveryImplementation(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		// ISO 8601
		"2026-01-15T12:34:56Z", "2026-01-15T12:34:56+00:00", "2026-01-15T07:34:56-05:00", "2026-01-15T18:04:56+0530",
		"2026-01-15T13:34:56+01", "20260115T123456Z", "2026-01-15 12:34:56Z", "2026-01-15 13:34:56+01:00",
		// Ruby: Time#to_s, older ones, Time#inspect, strftime with %Z
		"2026-01-15 12:34:56 UTC", "2026-01-15 13:34:56 +0100", "2026-01-15 04:34:56 -0800",
		"Thu Jan 15 04:34:56 -0800 2026", "Thu Jan 15 12:34:56 UTC 2026",
		"2026/01/15 12:34:56 UTC", "2026/01/15 13:34:56 CET", "2026/01/15 04:34:56 PST", "2026/01/15 09:34:56 -03",
		"2026/01/15 18:04:56 +0530", "2026/01/15 07:34:56 EST", "2026/01/15 12:34:56 GMT", "2026/01/15 21:34:56 JST",
		"2026/01/15 23:34:56 AEDT", "2026/01/15 13:34:56 +0100",
		// RFC 2822, RFC 822, RFC 850
		"Thu, 15 Jan 2026 12:34:56 +0000", "Thu, 15 Jan 2026 06:34:56 CST", "15 Jan 2026 12:34:56 GMT",
		"Thu, 15 Jan 2026 12:34:56 GMT (a comment)", "Thu, 15 Jan 26 12:34:56 UT", "Thursday, 15-Jan-26 12:34:56 UTC",
		"Thu, 15-Jan-2026 12:34:56 GMT",
		// C's ctime with a zone, PHP's strftime("%a %b %d %H:%M:%S %Z %Y")
		"Thu Jan 15 04:34:56 PST 2026", "Thu Jan 15 13:34:56 CET 2026", "Thu Jan 15 09:34:56 -03 2026",
		// JavaScript: Date#toString, #toUTCString, #toISOString
		"Thu Jan 15 2026 12:34:56 GMT+0000 (Coordinated Universal Time)", "Thu Jan 15 2026 04:34:56 GMT-0800 (Pacific Standard Time)",
		"Thu Jan 15 2026 13:34:56 GMT+0100", "Thu, 15 Jan 2026 12:34:56 GMT", "2026-01-15T12:34:56.000Z",
		// Go: Time.String
		"2026-01-15 12:34:56 +0000 UTC", "2026-01-15 12:34:56 +0000 UTC m=+0.000000001", "2026-01-15 20:34:56 +0800 CST",
		"2026-01-15 09:34:56 -0300 -03 m=+12.5",
		// Unix
		"1768480496", "1768480496.0", "1.768480496e9", "1768480496000", " 1768480496 ",
		// white space
		" 2026-01-15T12:34:56Z ", "2026-01-15  12:34:56  UTC",
	} {
		got, err := wire.ParseTime(text)
		require.NoError(t, err, text)
		assert.True(t, noon().Equal(got.Time), "%s is read as %v", text, got.Time)
		assert.False(t, got.Zoneless, text)
		assert.Equal(t, got.Time, got.Earliest())
		assert.Equal(t, got.Time, got.Latest())
	}
}

func TestParseTimeKeepsFractions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"2026-01-15T12:34:56.000000001Z":           1,
		"2026-01-15 12:34:56.789 UTC":              789 * time.Millisecond,
		"2026-01-15 13:34:56,5 +0100":              500 * time.Millisecond,
		"1768480496.25":                            250 * time.Millisecond,
		"1768480496123":                            123 * time.Millisecond,
		"2026-01-15 12:34:56.789012345 +0000 UTC":  789012345,
		"2026-01-15 12:34:56.5 +0000 UTC m=+0.001": 500 * time.Millisecond,
	} {
		got, err := wire.ParseTime(text)
		require.NoError(t, err, text)
		assert.Equal(t, noon().Add(want), got.Time, text)
	}
}

func TestParseTimeMarksTimesWithoutZone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"2026-01-15T12:34:56", "2026-01-15 12:34:56", "2026/01/15 12:34:56", "20260115T123456",
		"Thu Jan 15 12:34:56 2026", "Thu Jan 15 2026 12:34:56", "Thu, 15 Jan 2026 12:34:56",
	} {
		got, err := wire.ParseTime(text)
		require.NoError(t, err, text)
		assert.Equal(t, wire.Time{Time: noon(), Zoneless: true}, got, text)
		assert.Equal(t, noon().Add(-14*time.Hour), got.Earliest(), "in Kiribati, text %s", text)
		assert.Equal(t, noon().Add(12*time.Hour), got.Latest(), text)
	}
	for _, text := range []string{"2026-01-15", "2026-01-15 12:34", "2026-01-15T12:34"} {
		got, err := wire.ParseTime(text)
		require.NoError(t, err, text)
		assert.True(t, got.Zoneless, text)
		assert.Equal(t, "2026-01-15", got.Format(time.DateOnly))
	}
}

// An unknown zone must not be read as UTC, as time.Parse does.
func TestParseTimeRefusesUnknownZones(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"CST", "IST", "MSK", "KST", "MSD", "XYZ", "LMT", "A", "T", "Europe/Berlin", "GMT+99", "+9999", "-2500", "+0160", "utc0", "PM"} {
		for _, text := range []string{"2026/01/15 12:34:56 " + zone, "2026-01-15 12:34:56 " + zone, "Thu Jan 15 12:34:56 " + zone + " 2026"} {
			got, err := wire.ParseTime(text)
			require.ErrorIs(t, err, wire.ErrUnknownZone, text)
			assert.Zero(t, got)
		}
	}
}

func TestParseTimeRefusesOtherTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "soon", "yesterday", "Thu Jan 15 2026", "2026", "20260115", "0", "12", "1e300", "-1", "NaN", "1768480496000000000",
		"2026-13-01T00:00:00Z", "2026-02-30 00:00:00 UTC", "0001-01-01T00:00:00Z", "2026-01-15T25:00:00Z", ":", "T", "12:34:56",
		"(", " (", " m=", "Thu", "Thu,", strings.Repeat("x", 1000), "\xff\x00",
	} {
		got, err := wire.ParseTime(text)
		require.Error(t, err, "%q is read as %v", text, got)
		assert.Zero(t, got, text)
		assert.Less(t, len(err.Error()), 300, "the message is short")
	}
}

// Names have the offsets of the time zone database. Names with several offsets since 2010
// are unknown, except those that zone.go lists.
func TestZoneNamesAreUnambiguous(t *testing.T) {
	t.Parallel()
	offsets := zoneNames(t)
	exceptions := map[string]int{"PST": -480, "CDT": -300} // see zone.go
	for name, found := range offsets {
		got, err := wire.ParseTime("2026/01/15 12:34:56 " + name)
		minutes := slices.Collect(maps.Keys(found))
		switch want, exception := exceptions[name]; {
		case exception:
			require.NoError(t, err, name)
			assert.True(t, noon().Add(-time.Duration(want)*time.Minute).Equal(got.Time), name)
			assert.Equal(t, want, slices.Min(minutes), "%s is read as the latest time that it can be", name)
		case len(minutes) > 1:
			require.ErrorIs(t, err, wire.ErrUnknownZone, name)
		case err == nil:
			assert.True(t, noon().Add(-time.Duration(minutes[0])*time.Minute).Equal(got.Time), "%s is %v minutes ahead", name, minutes)
		default:
			assert.Contains(t, []string{"MSD"}, name, "%s could be resolved", name)
		}
	}
}

// zoneNames returns the offsets of each name since 2010, in minutes ahead of UTC.
func zoneNames(t *testing.T) map[string]map[int]bool {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	redistest.Require(t, "zoneinfo", err == nil)
	files, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib/time/zoneinfo.zip"))
	redistest.Require(t, "zoneinfo", err == nil)
	defer files.Close()
	found := map[string]map[int]bool{}
	for _, file := range files.File {
		place, err := time.LoadLocation(file.Name)
		if err != nil || strings.HasPrefix(file.Name, "Etc/") {
			continue
		}
		for month := range 12 * 20 {
			name, seconds := time.Date(2010, time.Month(1+month), 15, 12, 0, 0, 0, place).Zone()
			if strings.ContainsAny(name, "+-") || name == "LMT" {
				continue
			}
			if found[name] == nil {
				found[name] = map[int]bool{}
			}
			found[name][seconds/60] = true
		}
	}
	require.Greater(t, len(found), 40)
	return found
}

func TestParseTimeJSONReadsStringsAndNumbers(t *testing.T) {
	t.Parallel()
	for value, text := range map[string]string{
		`"2026-01-15T12:34:56Z"`: "2026-01-15T12:34:56Z", `1768480496`: "1768480496", `1768480496.000`: "1768480496.000",
		`"1768480496"`: "1768480496", `1.768480496E+9`: "1.768480496E+9",
	} {
		at, got, ok := wire.ParseTimeJSON([]byte(value))
		require.True(t, ok, value)
		assert.Equal(t, text, got)
		assert.True(t, noon().Equal(at.Time), value)
	}
	for value, text := range map[string]string{`"soon"`: "soon", `-1`: "-1", `""`: ""} {
		at, got, ok := wire.ParseTimeJSON([]byte(value))
		assert.True(t, ok, value)
		assert.Zero(t, at)
		assert.Equal(t, text, got)
	}
	for _, value := range []string{"", "null", "{}", "[1]", "true"} {
		_, _, ok := wire.ParseTimeJSON([]byte(value))
		assert.False(t, ok, value)
	}
}

func TestParseTimeReadsWhatIsFormatted(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 13, 34, 56, 0, time.FixedZone("CET", 3600))
	for text, recorded := range map[string]string{
		wire.FormatRunAt(at): "{ISO8601}", wire.FormatHeartbeat(at): "{ISO8601}",
		wire.FormatStarted(at): "{TIME_TO_S}", wire.FormatFailedAt(at): "{FAILED_AT}",
	} {
		got, err := wire.ParseTime(text)
		require.NoError(t, err)
		assert.True(t, at.Equal(got.Time), text)
		assert.Equal(t, recorded, golden.Clean(text), "the form is that of the recordings of Ruby")
	}
	assert.Equal(t, "2026-01-15T12:34:56.000000000Z", wire.FormatRunAt(at))
	assert.Equal(t, "2026-01-15T12:34:56+00:00", wire.FormatHeartbeat(at))
	assert.Equal(t, "2026-01-15 13:34:56 +0100", wire.FormatStarted(at))
	assert.Equal(t, "2026/01/15 12:34:56 UTC", wire.FormatFailedAt(at))
}

func TestRunAtsEqualsFormatRunAt(t *testing.T) {
	t.Parallel()
	assert.Empty(t, wire.RunAts(time.Now(), 0))
	for _, from := range []time.Time{
		time.Unix(1_700_000_000, 0),
		time.Unix(1_700_000_000, 999_999_998),
		time.Date(2026, 12, 31, 23, 59, 59, 999_999_950, time.FixedZone("", 3600)),
		time.Now(),
	} {
		for i, runAt := range wire.RunAts(from, 100) {
			assert.Equal(t, wire.FormatRunAt(from.Add(time.Duration(i))), runAt)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"2026/01/15 04:34:56 PST", "Thu, 15 Jan 2026 12:34:56 GMT (x)", "1768480496.5", "2026-01-15T12:34:56+01:00", "Thu Jan 15 12:34:56 2026"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := wire.ParseTime(text)
		if err != nil {
			assert.Zero(t, got)
			return
		}
		assert.Equal(t, time.UTC, got.Location())
		assert.False(t, got.IsZero(), "zero means unknown")
		assert.False(t, got.Earliest().After(got.Latest()))
		if y := got.Year(); y > 1 && y < 9999 {
			again, err := wire.ParseTime(wire.FormatRunAt(got.Time))
			require.NoError(t, err)
			assert.True(t, again.Equal(got.Time), text)
		}
	})
}
