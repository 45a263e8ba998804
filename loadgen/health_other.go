//go:build !linux

package loadgen

import "time"

func ownCPU() time.Duration                           { return 0 }
func cpuPressure() time.Duration                      { return 0 }
func processUsage(int) (cpu time.Duration, rss int64) { return 0, 0 }
