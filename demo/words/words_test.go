package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOrdinal(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		0: "0th", 1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 10: "10th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 22: "22nd",
		101: "101st", 111: "111th", 113: "113th", 1002: "1,002nd",
	} {
		assert.Equal(t, want, Ordinal(n))
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1 kB", 1001: "2 kB", 999_999: "1000 kB", 1_234_567: "1.2 MB", 88_000_000: "88.0 MB"} {
		assert.Equal(t, want, Size(bytes))
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 10_000: "10,000", 1_000_005: "1,000,005"} {
		assert.Equal(t, want, Thousands(n))
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "1.50 s", Seconds(1500*time.Millisecond))
}
