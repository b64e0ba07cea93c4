package store

import (
	"crypto/sha1" //nolint:gosec // a name, not a secret: Redis's scripts have no other hash
	"encoding/hex"
	"slices"
	"strconv"
)

// hashedWhole is the largest record that is hashed as a whole, and twice what is
// hashed of a larger one.
const hashedWhole = 1 << 20

// Digest names a record or a payload by its bytes: their SHA-1 in hexadecimal. Of a
// large one it is the SHA-1 of its length, its beginning and its end, because
// hashing 20 MB in a script would hold Redis up.
func Digest(record []byte) string {
	if len(record) > hashedWhole {
		const half = hashedWhole / 2
		record = slices.Concat([]byte(strconv.Itoa(len(record))), record[:half], record[len(record)-half:])
	}
	sum := sha1.Sum(record) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}
