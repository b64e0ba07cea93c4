package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/web"
)

// failAt adds failures of a class at a time.
func (s *site) failAt(class string, at time.Time, times int) {
	for range times {
		s.fail(record(class, "[]", "E", "m", "q", at, ""))
	}
}

// The view by weekday and hour has a number in each field, and a class for its colour. All
// weeks are added up.
func TestFailuresByWeekdayAndHour(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	thursday := time.Date(2026, 1, 15, 9, 59, 59, 0, time.UTC)
	s.failAt("Exporter", thursday, 3)
	s.failAt("Mailer", thursday.AddDate(0, 0, -7), 5)
	s.failAt("Mailer", thursday.Add(24*time.Hour+time.Second), 1)
	s.failAt("Mailer", time.Date(2026, 1, 17, 1, 0, 0, 0, time.FixedZone("", 2*3600)), 2) // Friday in UTC
	s.fail(`{"failed_at":"junk","payload":{"class":"Mailer","args":[]},"exception":"E","error":"m","queue":"q"}`)
	page := s.get("/failed?view=hours").Body.String()
	fields := func(page string) map[string]string {
		found := map[string]string{}
		for _, tr := range elements(elements(parse(t, page), "tbody")[0], "tr") {
			cells := elements(tr, "td")
			require.Len(t, cells, 24)
			for hour, td := range cells {
				if td.words() != "0" {
					found[fmt.Sprintf("%s %d", attr(elements(tr, "th")[0], "aria-label"), hour)] = td.words() + " " + attr(td, "class")
				} else {
					require.Equal(t, "h0", attr(td, "class"))
				}
			}
		}
		return found
	}
	assert.Equal(t, map[string]string{"Thursday 9": "8 h4", "Friday 10": "1 h1", "Friday 23": "2 h1"}, fields(page))
	present(t, page, "Most in an hour: 8 of 11, on Thursday at 9:00 UTC.", "in words")
	headings := elements(elements(parse(t, page), "thead")[0], "th")
	require.Len(t, headings, 25)
	assert.Equal(t, "UTC 0 23", headings[0].words()+" "+headings[1].words()+" "+headings[24].words())
	present(t, page, `<option value="hours" selected>`, "the form keeps the view")

	page = s.get("/failed?view=hours&class=Mailer").Body.String()
	assert.Equal(t, map[string]string{"Thursday 9": "5 h4", "Friday 10": "1 h1", "Friday 23": "2 h2"}, fields(page), "the filter counts")
	told := s.get("/failed?view=hours", "Accept: application/json").told(t)["Hours"].(map[string]any)
	assert.EqualValues(t, 11, told["Timed"])
	assert.Len(t, told["Days"], 7)
	present(t, s.get("/failed?view=hours&class=Nobody").Body.String(), "No failures.", "none matches")

	german := s.get("/failed?view=hours", "Accept-Language: de").Body.String()
	present(t, german, "8 von 11, Donnerstag um 9:00 UTC", "the sentence")
	assert.Equal(t, "Mo", elements(elements(parse(t, german), "tbody")[0], "th")[0].words())
}

// Failures without a time, and records that cannot be read, are not in the map.
func TestFailuresWithoutATimeHaveNoHour(t *testing.T) {
	t.Parallel()
	s := open(t, web.Config{})
	s.fail("junk", `{"payload":{"class":"A","args":[]}}`)
	page := s.get("/failed?view=hours").Body.String()
	absent(t, page, `class="heat"`, "a map without numbers")
	present(t, page, "No failures.", "page")
	assert.Equal(t, 1, strings.Count(page, "<h1>"))
}
