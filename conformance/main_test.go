package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// workerOf is the environment variable that makes the test binary a worker for the server that it names.
const workerOf = "RTMKIT_TEST_WORKER_OF"

func TestMain(m *testing.M) {
	if server := os.Getenv(workerOf); server != "" {
		if err := Work(context.Background(), pair(server), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Ginkgo never stops the goroutine with which each run listens for signals.
	const signals = "github.com/onsi/ginkgo/v2/internal/interrupt_handler.(*InterruptHandler).registerForInterrupts.func2"
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(signals))
}

// startTestWorker starts the test binary as a worker.
func startTestWorker(server string) func(context.Context) (*Worker, error) {
	return func(context.Context) (*Worker, error) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), workerOf+"="+server)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return &Worker{In: in, Out: out, Stop: func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }}, nil
	}
}
