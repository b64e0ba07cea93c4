//go:build unix

package pgtest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// account returns the account that the server runs as, nil for the current one.
// PostgreSQL refuses to run as root, so root uses the account postgres, which
// PostgreSQL's packages create. ok is false if there is no such account.
func account() (as *syscall.SysProcAttr, ok bool) {
	if os.Getuid() != 0 {
		return nil, true
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		return nil, false
	}
	uid, err := strconv.ParseUint(postgres.Uid, 10, 32)
	if err != nil {
		return nil, false
	}
	gid, err := strconv.ParseUint(postgres.Gid, 10, 32)
	if err != nil {
		return nil, false
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, true
}

// chown makes the server's account the owner of files.
func (s *server) chown(t testing.TB, files ...string) {
	t.Helper()
	if s.as == nil {
		return
	}
	for _, file := range files {
		require.NoError(t, os.Chown(file, int(s.as.Credential.Uid), int(s.as.Credential.Gid)))
	}
}
