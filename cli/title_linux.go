package cli

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

const (
	// titleRoom is how long a title may be, in bytes.
	titleRoom = 1024
	// titleMarker tells the second start what the first one was called. It names
	// the process, too, so that it means nothing to another that inherits it.
	titleMarker = "GORESQUE_TITLE"
	// commFile has the name that top and pgrep know a process by.
	commFile = "/proc/self/comm"
)

// argv is the memory that ps reads: the arguments of this process as the kernel
// put them. Go's os.Args are strings in that memory, so a title must not touch
// any but the first, and the first must be long enough: the process is started
// again for that, once.
type argv struct {
	memory []byte // all arguments with their NULs; nil where there is no room
	again  bool   // this is the second start
}

// takeArgv recognizes the second start. It restores what the first one looked
// like: the command's name, in os.Args and as top shows it, and the environment.
func takeArgv() *argv {
	marker, ok := os.LookupEnv(titleMarker)
	if !ok {
		return &argv{}
	}
	_ = os.Unsetenv(titleMarker) // cannot fail: the name is a constant
	parts := strings.SplitN(marker, "\n", 3)
	if len(parts) != 3 || parts[0] != strconv.Itoa(os.Getpid()) {
		return &argv{}
	}
	a := &argv{memory: argvMemory(), again: true}
	_ = os.WriteFile(commFile, []byte(parts[1]), 0) // only looks: it says "exe" now
	os.Args[0] = parts[2]
	return a
}

// grow starts this process again with room for titles, text being the first one.
// The same program, process id, open files, arguments and environment: nothing
// must have been begun yet. It returns where that is impossible or done already.
func (a *argv) grow(text string) {
	if a.again || len(os.Args) == 0 {
		return
	}
	a.again = true
	args := slices.Clone(os.Args)
	args[0] = cut(text, titleRoom)
	args[0] += strings.Repeat(" ", titleRoom-len(args[0]))
	comm, err := os.ReadFile(commFile)
	if err != nil {
		return // there is no /proc
	}
	marker := titleMarker + "=" + strconv.Itoa(os.Getpid()) + "\n" + strings.TrimSpace(string(comm)) + "\n" + os.Args[0]
	_ = syscall.Exec("/proc/self/exe", args, append(os.Environ(), marker)) // if it returns, there are no titles
}

// write makes text the title. Where the last byte of all arguments is not NUL,
// the kernel takes it that a program wrote a title, and shows no more than the
// text up to the first NUL. That byte belongs to no Go string.
func (a *argv) write(text string) {
	if a.memory == nil {
		return
	}
	n := copy(a.memory[:titleRoom-1], cut(text, titleRoom-1))
	clear(a.memory[n:titleRoom])
	a.memory[len(a.memory)-1] = '.'
}

// argvMemory is the memory of os.Args, if it is what the kernel says it is and
// the first argument has room: somebody may have replaced os.Args meanwhile.
func argvMemory() []byte {
	if len(os.Args) == 0 || len(os.Args[0]) != titleRoom {
		return nil
	}
	first := unsafe.StringData(os.Args[0])
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from the third on
	const argStart, argEnd = 48 - 3, 49 - 3
	if len(fields) <= argEnd {
		return nil
	}
	start, bad := strconv.ParseUint(string(fields[argStart]), 10, 64)
	end, worse := strconv.ParseUint(string(fields[argEnd]), 10, 64)
	if bad != nil || worse != nil || start != uint64(uintptr(unsafe.Pointer(first))) || end < start+titleRoom+1 {
		return nil
	}
	return unsafe.Slice(first, end-start)
}
