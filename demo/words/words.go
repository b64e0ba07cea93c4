// Package words formats numbers for people.
package words

import (
	"fmt"
	"strconv"
	"time"
)

// Ordinal formats 3 as 3rd.
func Ordinal(n int) string {
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return Thousands(n) + suffix
}

// Size formats 1234567 bytes as 1.2 MB.
func Size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 1_000_000:
		return fmt.Sprintf("%d kB", (bytes+999)/1000)
	default:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
}

// Thousands formats 10000 as 10,000.
func Thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", Thousands(n/1000), n%1000)
}

// Seconds formats 1.5 s as 1.50 s.
func Seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
