package unique_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goresque/goresque/resque"
	"github.com/goresque/goresque/resque/unique"
)

func TestPoliciesThatCannotWorkPanic(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]unique.Policy{
		"For is -1h0m0s; it must be at least 1s, and at most 10 years": {For: -time.Hour},
		"For is 1ms; it must be at least 1s, and at most 10 years":     {For: time.Millisecond},
		"Wait is -1s; it must be at least 1s, and at most 10 years":    {Wait: -time.Second},
		"Style is 9; it must be one of the package's styles":           {Style: 9},
		"Style is -1; it must be one of the package's styles":          {Style: -1},
		"Until is 7; it must be unique.Begun or unique.Done":           {Until: 7},
		"OnBusy is 3; it must be unique.Later or unique.Drop":          {OnBusy: 3},
		"By has argument 0; arguments are counted from 1":              {By: unique.Args(0)},
		"By has argument 2; the class has 1":                           {By: unique.Args(1, 2)},
		"Until cannot be set with a style that locks performed jobs":   {Style: unique.LockTimeout, Until: unique.Done},
	} {
		assert.PanicsWithValue(t, `resque: class "Exporter": setting 1: unique.Policy: `+want, func() {
			resque.Define1[int]("Exporter", "exports", p)
		})
	}
	assert.PanicsWithValue(t, `resque: class "Exporter": setting 2: unique.Policy given twice`, func() {
		resque.Define0("Exporter", "exports", unique.Policy{}, unique.Policy{For: time.Minute})
	})
	assert.NotPanics(t, func() { // the arguments are not known
		resque.NewMux().HandleFunc("Exporter", func(context.Context, *resque.Payload) error { return nil }, unique.Policy{By: unique.Args(3)})
	})
}
