package doctor

import (
	"context"
	"time"
)

// WithRest returns the options with what Fix does between its looks.
func (o Options) WithRest(rest func(ctx context.Context, d time.Duration) bool) Options {
	o.rest = rest
	return o
}
