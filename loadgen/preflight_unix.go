//go:build unix

package loadgen

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFilesFor returns how many files are open and how many may be, after it has raised the soft limit to the hard one if
// that many more do not fit.
func openFilesFor(more int64) (open, limit int64) {
	n, _ := countOpenFiles()
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0, 0
	}
	if uint64(int64(n)+more) > uint64(l.Cur) && l.Cur < l.Max {
		raised := l
		raised.Cur = l.Max
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			l = raised
		}
	}
	return int64(n), int64(min(uint64(l.Cur), math.MaxInt64))
}

// countOpenFiles counts the open files of this process where the system lists them.
func countOpenFiles() (float64, bool) {
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if n, ok := openFiles(dir); ok {
			return n, true
		}
	}
	return 0, false
}
