//go:build unix

package main

import "syscall"

// ownGroup puts a child in a process group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminateGroup asks a process and all that it has started to end.
func terminateGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGTERM) }

// killGroup ends a process and all that it has started.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
