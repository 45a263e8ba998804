package main

import (
	"os"
	"syscall"
)

// ownGroup puts a child in a process group of its own.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminateGroup does nothing: Windows has no signal that a process could not take
// for a crash. The end of standard input is what our own children end by.
func terminateGroup(int) {}

// killGroup ends a process; what it has started is not reached on Windows.
func killGroup(pid int) {
	if process, err := os.FindProcess(pid); err == nil {
		_ = process.Kill()
	}
}
