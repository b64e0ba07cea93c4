package doctor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/internal/store"
)

// Keys that are too many to keep are not silently left out.
func TestMoreStrangeKeysThanAreKept(t *testing.T) {
	t.Parallel()
	var c checkup
	for i := range maxSuspects + 3 {
		name := fmt.Sprint("session:", i)
		c.census.count(kinds(), store.KeyInfo{Name: name, NameSize: int64(len(name)), Type: "string"})
	}
	c.addKeys(c.census)
	assert.EqualValues(t, maxSuspects, c.report.Findings[0].Count)
	assert.Equal(t, []Unchecked{{[]string{"K05"}, "of the keys that are not Resque's only 200000 were examined, and 3 more were seen"}}, c.report.Unchecked)
}
