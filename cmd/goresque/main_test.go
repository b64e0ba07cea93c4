package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain builds the command once for all tests.
func TestMain(m *testing.M) {
	os.Exit(withBuild(m.Run))
}

const built = "GORESQUE_TEST_BUILT"

func withBuild(run func() int) int {
	dir, err := os.MkdirTemp("", "goresque-built-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin := filepath.Join(dir, "goresque")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		fmt.Printf("%v\n%s", err, out)
		return 1
	}
	if err := os.Setenv(built, bin); err != nil {
		fmt.Println(err)
		return 1
	}
	return run()
}
