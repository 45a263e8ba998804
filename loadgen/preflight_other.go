//go:build !linux

package loadgen

// Only Linux tells these in a way that costs no library.
func localPorts() int64      { return 0 }
func availableMemory() int64 { return 0 }
