package loadgen

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rtmkit/rtmkit/reports"
)

func TestRunOnADiskOfAFewPagesEndsWithASentence(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=32k"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	defer func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	}()
	inBubble(t, func(t *testing.T) {
		dir := filepath.Join(disk, "run")
		load, err := newRig().run(t.Context(), small(20_000), Options{Dir: dir})
		if load == nil || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "could not write ") {
			t.Fatalf("%v, %v", load, err)
		}
		balanced(t, load)
		for _, name := range files(t, dir) {
			if strings.HasPrefix(name, ".") || name == reports.RunManifestFile && len(load.Manifest.Notes) == 0 {
				t.Errorf("left behind: %s", name)
			}
		}
	})
}
