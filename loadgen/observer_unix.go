//go:build unix

package loadgen

import "golang.org/x/sys/unix"

// lookAtSelf reads what every Unix tells of this process.
func (o *observer) lookAtSelf(u *usage) {
	var own unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &own) == nil {
		u.readings[colGeneratorCPU] = float64(own.Utime.Nano() + own.Stime.Nano())
	}
	if n, ok := countOpenFiles(); ok {
		u.readings[colOpenFiles] = n
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		u.readings[colOpenFilesLimit] = float64(limit.Cur)
	}
}
