package redistest

import (
	"flag"
	"runtime"
	"strconv"
	"testing"
)

// Run runs the tests of a package that mostly wait, for intervals or other processes.
// Unless -parallel is set, three times as many as usual run at the same time. TestMain
// calls it instead of m.Run.
func Run(m *testing.M) (code int) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	return m.Run()
}
