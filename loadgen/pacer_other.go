//go:build !linux

package loadgen

func newPacer(c *clock) pacer { return sleeper{c} }
