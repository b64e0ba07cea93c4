package demo

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// defaultDir is where the demo keeps its data unless it is told otherwise.
const defaultDir = "tmp/demo"

const databaseFile = "demo.sqlite3"

// databasePath is the file that DATABASE_URL names, or the default when it names
// none, as an absolute path. The demo and its jobs both read it so.
func databasePath(databaseURL string) (string, error) {
	path := filepath.Join(filepath.FromSlash(defaultDir), databaseFile)
	if databaseURL != "" {
		var err error
		if path, err = pathInURL(databaseURL); err != nil {
			return "", err
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding the database: %w", err)
	}
	return path, nil
}

// pathInURL reads sqlite:PATH, sqlite3:PATH, sqlite://PATH and a plain PATH.
// Errors do not repeat the URL, which may hold a password.
func pathInURL(text string) (string, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	path := text
	switch {
	case !schemeLike.MatchString(scheme + ":"):
	case strings.EqualFold(scheme, "sqlite"), strings.EqualFold(scheme, "sqlite3"):
		path = strings.TrimPrefix(rest, "//")
	case scheme != text:
		return "", fmt.Errorf("DATABASE_URL: %s: is not supported yet; the demo keeps its data in SQLite, as in sqlite:PATH", scheme)
	}
	if path == "" {
		return "", errors.New("DATABASE_URL names no file; say sqlite:PATH")
	}
	return path, nil
}

// schemeLike leaves out a Windows drive, which is one letter.
var schemeLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`)
