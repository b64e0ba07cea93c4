package demo

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// defaultDir is where the demo keeps its data unless it is told otherwise.
const defaultDir = "tmp/demo"

const databaseFile = "demo.sqlite3"

// location is where the data is: a SQLite file, or a PostgreSQL database. The
// zero value is neither.
type location struct {
	path     string          // of a SQLite file, absolute
	postgres *pgx.ConnConfig // of a PostgreSQL database
	shown    string          // its DATABASE_URL, without the password
}

// locate reads DATABASE_URL; one that is empty is the default file. The demo and
// its jobs both read it so. Errors do not repeat the text, which may hold a
// password.
func locate(databaseURL string) (location, error) {
	if databaseURL == "" {
		return sqliteAt(filepath.Join(filepath.FromSlash(defaultDir), databaseFile))
	}
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	switch {
	case scheme == databaseURL, !schemeLike.MatchString(scheme + ":"):
		return sqliteAt(databaseURL)
	case strings.EqualFold(scheme, "sqlite"), strings.EqualFold(scheme, "sqlite3"):
		return sqliteAt(strings.TrimPrefix(rest, "//"))
	case strings.EqualFold(scheme, "postgres"), strings.EqualFold(scheme, "postgresql"):
		return postgresAt(databaseURL)
	default:
		return location{}, fmt.Errorf("DATABASE_URL: %s: is not supported; say sqlite:PATH, or postgres://user:password@host/database", scheme)
	}
}

// schemeLike leaves out a Windows drive, which is one letter.
var schemeLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`)

func sqliteAt(path string) (location, error) {
	if path == "" {
		return location{}, errors.New("DATABASE_URL names no file; say sqlite:PATH")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return location{}, fmt.Errorf("finding the database: %w", err)
	}
	return location{path: path, shown: "sqlite:" + path}, nil
}

func postgresAt(text string) (location, error) {
	u, err := url.Parse(text)
	if err != nil { // its error has the text
		return location{}, errors.New("DATABASE_URL is no URL; say postgres://user:password@host/database, with what is not a letter or a digit of the password as %XX")
	}
	u.Scheme = "postgres"
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		if bad, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
			bad.ConnString = withoutPassword(*u) // it would hide some passwords only
		}
		return location{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg.RuntimeParams["search_path"] = postgresSchema
	return location{postgres: cfg, shown: withoutPassword(*u)}, nil
}

// withoutPassword is the URL with xxxxx for what must not be seen.
func withoutPassword(u url.URL) string {
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, "xxxxx")
		}
	}
	u.RawQuery = query.Encode()
	return u.Redacted()
}
