package pgtest_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goresque/goresque/internal/pgtest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	at := pgtest.Start(t)
	conn, err := pgx.Connect(t.Context(), at)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var encoding string
	require.NoError(t, conn.QueryRow(t.Context(), "SHOW server_encoding").Scan(&encoding))
	assert.Equal(t, "UTF8", encoding)

	_, err = pgx.Connect(t.Context(), strings.ReplaceAll(at, pgtest.Password, "guess"))
	require.ErrorContains(t, err, "password authentication failed")
}
