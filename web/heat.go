package web

import (
	"slices"
	"time"

	"github.com/goresque/goresque/resque"
)

// heatMap is the number of failures by weekday and hour of the day, in UTC.
type heatMap struct {
	Days    []heatDay // Monday first
	Most    int64     // in one hour
	Busiest heatPeak  // the first hour with Most
	Timed   int64     // failures with a time: the others are not in the map
}

// heatDay is a row of the map.
type heatDay struct {
	Day   time.Weekday
	Hours []heatHour // 24
}

type heatHour struct {
	Failures int64
	Level    int `json:"-"` // of its colour: 0 for none, 1 to heatLevels
}

type heatPeak struct {
	Day  time.Weekday
	Hour int
}

const heatLevels = 4

// heatOf adds up the failures of all groups.
func heatOf(groups []resque.FailureGroup) *heatMap {
	var week [7][24]int64
	m := &heatMap{}
	for _, g := range groups {
		for day, hours := range g.Week() {
			for hour, n := range hours {
				week[day][hour] += n
				m.Timed += n
			}
		}
	}
	for i := range week {
		day := (time.Monday + time.Weekday(i)) % 7
		if most := slices.Max(week[day][:]); most > m.Most {
			m.Most, m.Busiest = most, heatPeak{day, slices.Index(week[day][:], most)}
		}
	}
	for i := range week {
		row := heatDay{Day: (time.Monday + time.Weekday(i)) % 7}
		for _, n := range week[row.Day] {
			cell := heatHour{Failures: n}
			if n > 0 {
				cell.Level = int((n*heatLevels + m.Most - 1) / m.Most)
			}
			row.Hours = append(row.Hours, cell)
		}
		m.Days = append(m.Days, row)
	}
	return m
}

// weekday returns the name of a day.
func (l *language) weekday(day time.Weekday) string {
	return [7]string{
		l.t("Sunday"), l.t("Monday"), l.t("Tuesday"), l.t("Wednesday"), l.t("Thursday"), l.t("Friday"), l.t("Saturday"),
	}[day]
}

// shortDay returns the short name of a day, for headings.
func (l *language) shortDay(day time.Weekday) string {
	return [7]string{l.t("Sun"), l.t("Mon"), l.t("Tue"), l.t("Wed"), l.t("Thu"), l.t("Fri"), l.t("Sat")}[day]
}
