package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// measure runs a program and prints how long it took and how much memory it held at most.
func measure(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("--measure needs a program")
	}
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Stderr = os.Stderr
	started := time.Now()
	if err := command.Run(); err != nil {
		return err
	}
	elapsed := time.Since(started)
	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system doesn't tell what a process used")
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]int64{
		"nanoseconds":   elapsed.Nanoseconds(),
		"peakKilobytes": usage.Maxrss,
	})
}
