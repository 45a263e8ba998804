package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// workerOf is the environment variable that makes the test binary a worker for the server that it names.
const workerOf = "RTMKIT_TEST_WORKER_OF"

func TestMain(m *testing.M) {
	if kind := os.Getenv(adapterKind); kind != "" {
		os.Exit(beAdapter(kind))
	}
	if server := os.Getenv(workerOf); server != "" {
		cfg := pair(server)
		if kind := os.Getenv(workerWith); kind != "" {
			cfg = client(server, kind)
		}
		if err := Work(context.Background(), cfg, os.Stdin, os.Stdout); err != nil {
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
func startTestWorker(server string, environment ...string) func(context.Context) (*Worker, error) {
	return func(context.Context) (*Worker, error) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(os.Environ(), workerOf+"="+server), environment...)
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
		return &Worker{In: in, Out: out, Stop: func() {
			kill := time.AfterFunc(endsWithin, func() { _ = cmd.Process.Kill() })
			defer kill.Stop()
			_ = cmd.Wait()
		}}, nil
	}
}
