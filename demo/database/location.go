package database

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

// The default directory and file of the data.
const (
	DefaultDir = "tmp/demo"
	File       = "demo.sqlite3"
)

// Location is an SQLite file or a PostgreSQL database. The zero value is neither.
type Location struct {
	Path  string // of an SQLite file, absolute
	Shown string // its DATABASE_URL, without the password

	postgres *pgx.ConnConfig
}

// Locate parses DATABASE_URL. An empty one means the default file. The web app and
// the jobs call Locate, so that they find the same database. Errors do not repeat
// the text, because it may contain a password.
func Locate(databaseURL string) (Location, error) {
	if databaseURL == "" {
		return sqliteAt(filepath.Join(filepath.FromSlash(DefaultDir), File))
	}
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	// A Windows drive is one letter, the scheme of a URL is longer.
	isURL := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`).MatchString(databaseURL)
	switch {
	case !isURL:
		return sqliteAt(databaseURL)
	case strings.EqualFold(scheme, "sqlite"), strings.EqualFold(scheme, "sqlite3"):
		return sqliteAt(strings.TrimPrefix(rest, "//"))
	case strings.EqualFold(scheme, "postgres"), strings.EqualFold(scheme, "postgresql"):
		return postgresAt(databaseURL)
	default:
		return Location{}, fmt.Errorf("DATABASE_URL: %s is not supported; use sqlite:PATH or postgres://user:password@host/database", scheme)
	}
}

func sqliteAt(path string) (Location, error) {
	if path == "" {
		return Location{}, errors.New("DATABASE_URL names no file; use sqlite:PATH")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return Location{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return Location{Path: path, Shown: "sqlite:" + path}, nil
}

func postgresAt(text string) (Location, error) {
	u, err := url.Parse(text)
	if err != nil { // the error contains the text, so do not return it
		return Location{}, errors.New("DATABASE_URL is not a URL; use postgres://user:password@host/database, and write characters of the password other than letters and digits as %XX")
	}
	u.Scheme = "postgres"
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		var bad *pgconn.ParseConfigError
		if errors.As(err, &bad) {
			bad.ConnString = withoutPassword(*u) // pgconn hides only some passwords
		}
		return Location{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	cfg.RuntimeParams["search_path"] = postgresSchema
	return Location{Shown: withoutPassword(*u), postgres: cfg}, nil
}

// withoutPassword returns the URL with each password replaced by xxxxx.
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
