package cron_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/cron"
)

func TestRefusedLinesNameTheFieldAndTheReason(t *testing.T) {
	t.Parallel()
	for line, reason := range map[string]string{
		"60 * * * *":              `minutes "60": write 0 to 59`,
		"60 * * * * *":            `seconds "60": write 0 to 59`,
		"0 25 * * *":              `hours "25": write 0 to 23`,
		"0 0 15W * *":             `days of the month "15W": write 1 to 31`,
		"0 0 ? * *":               `days of the month "?"`,
		"0 0 1& * 1":              `days of the month "1&"`,
		"0 0 L-3 * *":             "it would end Ruby's scheduler",
		"0 0 -1-3 * *":            "it would end Ruby's scheduler",
		"0 0 -5/2 * *":            "it would end Ruby's scheduler",
		"0 0 * 13 *":              `months "13": write 1 to 12, jan to dec`,
		"0 0 * * sunday":          `days of the week "sunday"`,
		"0 0 * * 1-2#1":           `days of the week "1-2#1"`,
		"0 0 * * mon#6":           "after the #",
		"0 0 * * mon%0":           "after the %",
		"*/0 * * * *":             `minutes "*/0": write a step from 1 to 99`,
		"0 0 * * */0":             "write a step from 1 to 99",
		"1,,2 * * * *":            `minutes ""`,
		"~ * * * *":               `minutes "~"`,
		"5/1 * * * *":             "write 5-59 or 5",
		"0 24/2 * * *":            "write 0",
		"0 0 * * sat-tue/2":       "list the days",
		"0 0 * * mon#1,mon#3":     "make two schedules",
		"0 0 1-31 * mon":          "write *",
		"0 0 30 2 *":              `none of its months has a day "30"`,
		"0 0 31 feb,jun *":        `none of its months has a day "31"`,
		"0 0 -31 4 *":             "no time in the next years",
		"* * * *":                 "it has 4 fields",
		"* * * * * * *":           "years are not supported",
		"0 0 * * * 2026 UTC":      `days of the week "2026"`,
		"0 0 * * * * 2026 UTC":    "years are not supported",
		" * * * * *":              "remove the blanks",
		"* * * * *\n":             "remove the blanks",
		"0 0 * * *\tUTC":          "write a space",
		"0 0 * * * Nowhere/Zone":  `time zone "Nowhere/Zone" does not exist`,
		"0 0 * * * Local":         `time zone "Local": write a name`,
		"0 0 * * * europe/berlin": `time zone "europe/berlin": write a name`,
		"0 0 * * * +14:00":        "offsets are from -11:45 to +11:45",
		"0 0 * * * -00:30":        "not possible; write a name",
		"@reboot":                 "unknown word",
		"@daily Asia/Tokyo":       "without a time zone",
		"@every 5m":               "unknown word",
		"every day at noon":       "it has 4 fields",
	} {
		_, err := cron.Parse(line)
		require.ErrorContains(t, err, reason, line)
		require.ErrorContains(t, err, "invalid cron line", line)
	}
	_, err := cron.Parse(string(make([]byte, 10_000)))
	require.ErrorContains(t, err, "at most 500")
}

func TestTimesThatRubyMisses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, from, next, about string }{
		{"* 0 * * mon Australia/Lord_Howe", "2026-10-02T00:00:00Z", "2026-10-04T13:00:00Z", "fugit begins the day of a change by half an hour at 00:30"},
		{"0 12 4 11 * America/Sao_Paulo", "2018-11-01T00:00:00Z", "2018-11-04T14:00:00Z", "fugit skips a day without midnight"},
		{"30 0 4 11 * America/Sao_Paulo", "2018-11-01T00:00:00Z", "2019-11-04T03:30:00Z", "00:30 did not exist on that day in 2018"},
		{"0 0 30 12 * Pacific/Apia", "2011-12-01T00:00:00Z", "2012-12-29T10:00:00Z", "Samoa had no such day in 2011"},
		{"0 0 31 * * Pacific/Apia", "2011-12-01T00:00:00Z", "2011-12-30T10:00:00Z", "the day after it"},
	} {
		s, err := cron.Parse(c.line)
		require.NoError(t, err)
		from, err := time.Parse(time.RFC3339, c.from)
		require.NoError(t, err)
		want, err := time.Parse(time.RFC3339, c.next)
		require.NoError(t, err)
		require.Equal(t, want, following(t, s, from, 1)[0], c.about)
	}
}

func TestARepeatedHourMatchesTwiceUnlessTheCallerIsInTheZone(t *testing.T) {
	t.Parallel()
	s, err := cron.Parse("30 2 * * * Europe/Stockholm")
	require.NoError(t, err)
	require.Equal(t, "Europe/Stockholm", s.Location().String())
	first := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	require.Equal(t, first.Add(time.Hour), following(t, s, first, 1)[0])
	there := first.In(s.Location())
	require.Equal(t, there.AddDate(0, 0, 1), following(t, s, there, 1)[0])
}

func TestWeeksBeginOnTuesdayOrMonday(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
	for _, c := range []struct {
		line     string
		old, now int // in January 2026
	}{{"0 0 * * tue%2", 27, 20}, {"0 0 * * wed%3+2", 28, 21}, {"0 0 * * mon%2", 19, 19}, {"0 0 * * sun%2", 18, 25}} {
		s, err := cron.Parse(c.line)
		require.NoError(t, err)
		require.True(t, s.HasWeeks())
		require.Equal(t, c.old, following(t, s, start, 1)[0].Day(), c.line)
		s.MondayWeeks = true
		require.Equal(t, c.now, following(t, s, start, 1)[0].Day(), c.line)
	}
	plain, err := cron.Parse("0 0 * * mon#1")
	require.NoError(t, err)
	require.False(t, plain.HasWeeks())
}

// TestNextSkipsNothing checks times between from and Next second by second.
func TestNextSkipsNothing(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		s, err := cron.Parse(randomLine(random))
		if err != nil {
			continue
		}
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(400*86400)) * time.Second)
		next := following(t, s, from, 1)[0]
		// What Next says just before must be the same: no time in between matches.
		for range 20 {
			between := from.Add(time.Duration(random.Int64N(int64(next.Sub(from)/time.Second))) * time.Second)
			require.Equal(t, next, following(t, s, between, 1)[0], "%q from %v and from %v", s, from, between)
		}
		require.Equal(t, next, following(t, s, next.Add(-time.Second), 1)[0], s)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"*/5 * * * *", "30 6 * * 1 Europe/Stockholm", "0 0 L * mon#-1", "0 0 * * 1%2+1 +09:00", "0 22-2 * * *", "@daily", "-1 - * * #"} {
		f.Add(line, int64(1768480496))
	}
	f.Fuzz(func(t *testing.T, line string, unix int64) {
		s, err := cron.Parse(line)
		if err != nil {
			return
		}
		from := time.Unix(unix%4e9, 0).UTC()
		for range 3 {
			next, ok := s.Next(from)
			if !ok {
				return
			}
			require.True(t, next.After(from), "%q: %v is not after %v", line, next, from)
			from = next
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"1h30m", "PT1H", "90", "1 hour and 30 minutes", "-1.5d", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := cron.ParseEvery(text); err == nil {
			require.GreaterOrEqual(t, d, 300*time.Millisecond)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, line := range []string{"* * * * *", "0 3 * * * Europe/Stockholm", "0 0 29 2 *"} {
		b.Run(line, func(b *testing.B) {
			s, err := cron.Parse(line)
			require.NoError(b, err)
			from := time.Date(2026, 1, 15, 12, 34, 56, 0, time.UTC)
			for b.Loop() {
				s.Next(from)
			}
		})
	}
}
