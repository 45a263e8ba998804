package adapter

import (
	"os"
	"syscall"
)

// ownGroup puts a child in a process group of its own.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// killGroup ends a child. What it started is left to end by its closed pipes, since Windows knows no group to kill.
func killGroup(p *os.Process) { _ = p.Kill() }
