package store

import (
	"crypto/sha1" //nolint:gosec // a name, not a secret: Redis's scripts have no other hash
	"encoding/hex"
	"slices"
	"strconv"
)

// hashedWhole is the size of the largest record that is hashed whole. Of a larger
// one, half as many bytes are hashed at either end.
const hashedWhole = 1 << 20

// Digest returns the SHA-1 of a record or a payload in hexadecimal. Of a large one it
// is the SHA-1 of its length, its beginning and its end, because a script that hashes
// 20 MB would block Redis.
func Digest(record []byte) string {
	if len(record) > hashedWhole {
		const half = hashedWhole / 2
		record = slices.Concat([]byte(strconv.Itoa(len(record))), record[:half], record[len(record)-half:])
	}
	sum := sha1.Sum(record) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}
