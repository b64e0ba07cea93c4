package cron_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/cron"
)

// Parse says of a line that it refuses whether other versions of fugit read it.
func TestLinesThatOnlySomeVersionsRead(t *testing.T) {
	t.Parallel()
	for line, differs := range map[string]bool{
		" 0 3 * * *": true, "0 3 * * * ": true, "0 3,,4 * * *": true, ",0 3 * * *": true, "0 3 1, * *": true,
		"0 3 13 * fri&": true, "0~30 3 * * *": true, "@daily Asia/Tokyo": true, "0 3 * * sat-tue/2": true,
		"0 3 * * mon#1,mon#2": true, "5/1 * * * *": true, "0 0 1-31 * mon": true,
		"61 * * * *": false, "yesterday": false, "": false, "@never": false, "0 3 * *": false, "0 0 31 2 *": false, "~": false, "&": false, ",": false,
	} {
		_, err := cron.Parse(line)
		require.Error(t, err, line)
		assert.Equal(t, differs, errors.Is(err, cron.ErrVersions), "%q: %v", line, err)
	}
}
