package interop_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The steps of docs/rails.md, with the files that it shows.
func TestRailsGuide(t *testing.T) {
	t.Parallel()
	server := startRails(t)
	program := filepath.Join(t.TempDir(), "rails")
	run(t, nil, "go", "build", "-o", program, "../../examples/rails")
	env := []string{"REDIS_URL=" + server.URL, "QUEUE=exports", "INTERVAL=0"}

	ruby(t, server, "rails_guide.rb", "enqueue", "42")
	assert.Equal(t, "Go exports 42 as pdf\n", run(t, env, program, "work"), "Go performs a job of Rails")
	assert.Equal(t, "Rails mails ann@example.com\n", ruby(t, server, "rails_guide.rb", "work", "mail"), "Rails performs a job of Go")

	ruby(t, server, "rails_guide.rb", "enqueue", "43")
	assert.Equal(t, "Rails exports 43 as pdf\n", ruby(t, server, "rails_guide.rb", "work", "exports"), "the way back")
	assert.Empty(t, list(t, server, "resque:failed"))
}
