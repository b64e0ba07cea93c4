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
	// titleRoom is the room for a title, in bytes.
	titleRoom = 1024
	// titleMarker passes the command's names from the first to the second start. It
	// contains the process id, so that another process which inherits it ignores it.
	titleMarker = "GORESQUE_TITLE"
	// commFile contains the name by which top and pgrep know a process.
	commFile = "/proc/self/comm"
)

// argv is the memory that ps reads: the arguments of this process as the kernel
// placed them. Go's os.Args are strings in that memory, so a title may only overwrite
// the first one, which must be long enough. To make it so, the process is started
// again once.
type argv struct {
	memory []byte // all arguments with their NULs; nil without room for a title
	again  bool   // this is the second start
}

// takeArgv detects the second start. It restores the command's name, in os.Args and
// in top, and the environment.
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
	_ = os.WriteFile(commFile, []byte(parts[1]), 0) // only for display: the name is "exe" after the second start
	os.Args[0] = parts[2]
	return a
}

// grow starts this process again with room for titles; text is the first one.
// Program, process id, open files, arguments and environment stay the same, so
// nothing may have been started yet. It returns if that is impossible or was already
// done.
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
		return // no /proc
	}
	marker := titleMarker + "=" + strconv.Itoa(os.Getpid()) + "\n" + strings.TrimSpace(string(comm)) + "\n" + os.Args[0]
	_ = syscall.Exec("/proc/self/exe", args, append(os.Environ(), marker)) // if it returns, titles are not shown
}

// write sets the title. If the last byte of all arguments is not NUL, the kernel
// assumes that the program wrote a title, and shows only the text up to the first
// NUL. No Go string contains that byte.
func (a *argv) write(text string) {
	if a.memory == nil {
		return
	}
	n := copy(a.memory[:titleRoom-1], cut(text, titleRoom-1))
	clear(a.memory[n:titleRoom])
	a.memory[len(a.memory)-1] = '.'
}

// argvMemory returns the memory of os.Args if the kernel reports the same address and the
// first argument has room. Otherwise another package may have replaced os.Args, and
// it returns nil.
func argvMemory() []byte {
	if len(os.Args) == 0 || len(os.Args[0]) != titleRoom {
		return nil
	}
	first := unsafe.StringData(os.Args[0])
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // starting with the third field
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
