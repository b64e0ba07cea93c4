package web_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/web"
)

// fillHistory adds 180 days of counters, which end with those of fill, and metrics of
// classes.
func (s *site) fillHistory() {
	s.t.Helper()
	now := time.Now().UTC()
	random := rand.New(rand.NewPCG(1, 2))
	processed, failed := int64(1_283_402), int64(2_917)
	put := func(at time.Time, key, field string) {
		s.do("HSET", "resque:goresque:metrics:counters:"+at.Format(key), at.Format(field), fmt.Sprintf("%d %d %d", at.Unix(), processed, failed))
	}
	for i := range 61 { // by minute, then by ten minutes, hour and day
		put(now.Truncate(time.Minute).Add(-time.Duration(i)*time.Minute), "2006-01-02", "15:04")
		processed, failed = processed-random.Int64N(90)-60, failed-random.Int64N(2)
	}
	processed, failed = 1_283_402, 2_917
	for i := range 145 {
		at := now.Truncate(10 * time.Minute).Add(-time.Duration(i) * 10 * time.Minute)
		s.do("HSET", "resque:goresque:metrics:counters:"+at.Format("2006-01-02"), at.Format("15:04")[:4], fmt.Sprintf("%d %d %d", at.Unix(), processed, failed))
		busy := int64(100 + 600*max(0, 12-abs(at.Hour()-13))/12)
		processed, failed = processed-busy-random.Int64N(90), failed-random.Int64N(5)
	}
	processed, failed = 1_283_402, 2_917
	for i := range 169 {
		at := now.Truncate(time.Hour).Add(-time.Duration(i) * time.Hour)
		put(at, "2006-01", "02T15")
		processed, failed = processed-1000-random.Int64N(2500), max(0, failed-random.Int64N(4))
	}
	processed, failed = 1_283_402, 2_917
	for i := range 181 {
		put(now.Truncate(24*time.Hour).AddDate(0, 0, -i), "2006-01", "02")
		processed, failed = processed-5000-random.Int64N(2000), max(0, failed-random.Int64N(3))
	}
	for class, text := range map[string]string{
		"Exporter": "412 9 1901230 8:3 9:30 10:80 11:120 12:110 13:50 14:15 15:4", "Mailer": "9120 41 712000 4:900 5:3000 6:4000 7:1000 8:200 9:20",
		"ThumbnailJob": "5310 0 2410000 7:900 8:2100 9:2000 10:300 11:10", "SearchIndexer": "31200 2 62000 0:9000 1:14000 2:8000 3:200",
		"NightlyReport": "3 1 8400000 22:3", "Billing::ChargeCard": "208 31 98000 7:30 8:90 9:70 10:18",
	} {
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15", "2006-01-02"} {
			s.do("HSET", "resque:goresque:metrics:"+now.Format(layout), class, text)
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestHistory(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.do("MSET", "resque:stat:processed", 1_283_402, "resque:stat:failed", 2_917)
	assert.Contains(t, s.get("/history").Body.String(), "There is no history of this time yet.")
	assert.Contains(t, s.get("/history").Body.String(), "No job was measured in this time.")
	s.fillHistory()
	web.Forget(s.dashboard)
	for window, points := range map[string]int{"1h": 60, "24h": 144, "7d": 168, "180d": 180} {
		told := s.get("/history.json?window=" + window).told(t)
		rows := told["Graph"].(map[string]any)["Rows"].([]any)
		assert.InDelta(t, points, len(rows), 2, window)
		assert.Equal(t, window, told["Window"])
		first := told["Classes"].([]any)[0].(map[string]any)
		assert.Equal(t, "NightlyReport", first["Class"], "the longest total first")
		assert.InDelta(t, 1./3, first["FailedPart"], .01)
		page := s.get("/history?window=" + window)
		assert.Equal(t, http.StatusOK, page.Code)
		assert.Contains(t, page.Body.String(), "Billing::ChargeCard")
		assert.Contains(t, page.Body.String(), "<polyline")
		assert.LessOrEqual(t, page.Body.Len(), 60<<10)
	}
	byClass := s.get("/history.json?sort=class").told(t)["Classes"].([]any)
	assert.Equal(t, "Billing::ChargeCard", byClass[0].(map[string]any)["Class"])
	assert.Equal(t, http.StatusNotFound, s.get("/history?window=2h").Code)
	overview := s.get("/overview").Body.String()
	for _, w := range resque.Windows() {
		assert.Contains(t, overview, "history?window="+string(w))
	}
}

// With KeepHistory, Run keeps the counters once for each time, however many dashboards
// run. Without it, nothing is written.
func TestRunKeepsHistory(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		s := open(t, web.Config{KeepHistory: keep})
		s.do("MSET", "resque:stat:processed", 42, "resque:stat:failed", 2)
		other := newDashboard(t, s.server, web.Config{KeepHistory: keep})
		for _, h := range []*web.Dashboard{s.dashboard, other} {
			web.SampleEvery(h, 5*time.Millisecond)
			runs(t, h)
		}
		kept := func() []resque.Counters {
			all, err := s.server.Client(t).History(t.Context(), resque.LastHalfYear)
			require.NoError(t, err)
			return all
		}
		if !keep {
			s.get("/overview")
			assert.Empty(t, kept())
			assert.NotContains(t, fmt.Sprint(dump(t, s)), "goresque")
			continue
		}
		require.Eventually(t, func() bool { return len(kept()) > 0 }, waitLong, tick)
		s.do("SET", "resque:stat:processed", 43)
		assert.EqualValues(t, 42, kept()[0].Processed, "the first of the day is kept")
	}
}

func TestTookAndPercent(t *testing.T) {
	t.Parallel()
	var got []string
	for _, d := range []time.Duration{0, 500 * time.Microsecond, 12 * time.Millisecond, 1500 * time.Millisecond, 90 * time.Second} {
		got = append(got, web.Took(d))
	}
	assert.Equal(t, "0, 0.5 ms, 12 ms, 1.5 s, 1 min", strings.Join(got, ", "))
	assert.Equal(t, "0.0 %", web.Percent(0))
	assert.Equal(t, "< 0.1 %", web.Percent(.0001))
	assert.Equal(t, "12.5 %", web.Percent(.125))
}
