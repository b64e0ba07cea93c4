package store

import (
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// clockTime converts the reply of TIME: seconds, and the microseconds past them.
func clockTime(reply any, err error) (time.Time, error) {
	parts, err := redis.Int64s(reply, err)
	if err == nil && len(parts) != 2 {
		err = fmt.Errorf("TIME returned %d values", len(parts))
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(parts[0], parts[1]*int64(time.Microsecond)).UTC(), nil
}
