package resque

import (
	"context"
	"time"
)

// SetRest sets what ReleaseUnheld does between its looks.
func (l *Locks) SetRest(rest func(ctx context.Context, d time.Duration) bool) { l.rest = rest }
