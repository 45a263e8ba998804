package loadgen

import "syscall"

// lookAtSelf reads the CPU time of this process.
func (o *observer) lookAtSelf(u *usage) {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return
	}
	var created, exited, kernel, user syscall.Filetime
	if syscall.GetProcessTimes(self, &created, &exited, &kernel, &user) == nil {
		// Durations come as a count of 100 ns.
		hundreds := func(f syscall.Filetime) float64 { return float64(uint64(f.HighDateTime)<<32 | uint64(f.LowDateTime)) }
		u.readings[colGeneratorCPU] = 100 * (hundreds(kernel) + hundreds(user))
	}
}
