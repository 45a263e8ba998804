package reports

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxListedFiles bounds how many files a list of checksums may name.
const maxListedFiles = 100_000

// writeChecksums writes the checksums of the given files and of what lies in the
// run folders of the loads.
func writeChecksums(dir string, files []textFile, loads []Load) error {
	sums := make(map[string]string)
	for _, f := range files {
		sums[f.name] = sha256Of(f.text)
	}
	for i := range loads {
		names, err := runFiles(dir, &loads[i])
		if err != nil {
			return fmt.Errorf("reports: write %s: %w", filepath.Join(dir, ChecksumsFile), err)
		}
		for _, name := range names {
			if _, ours := sums[name]; ours {
				continue
			}
			if sums[name], err = fileSum(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return fmt.Errorf("reports: write %s: %w", filepath.Join(dir, ChecksumsFile), err)
			}
		}
	}
	return writeFiles(dir, []textFile{{ChecksumsFile, checksumText(sums)}})
}

// renewChecksums replaces the checksums of the given files in a folder that has a
// list of them.
func renewChecksums(dir string, files []textFile) error {
	sums, err := readChecksums(filepath.Join(dir, ChecksumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reports: render %s: %w", dir, err)
	}
	for _, f := range files {
		sums[f.name] = sha256Of(f.text)
	}
	return writeFiles(dir, []textFile{{ChecksumsFile, checksumText(sums)}})
}

// runFiles returns the files of a load run that lie in the report folder: all that
// its own folder holds, or what its manifest names where it shares the folder.
func runFiles(dir string, l *Load) ([]string, error) {
	var names []string
	if l.Dir == "" {
		candidates := []string{RunManifestFile, RunSummaryFile, FloorFile}
		for _, f := range l.Manifest.Files {
			candidates = append(candidates, f.Name)
		}
		for _, name := range candidates {
			if !filepath.IsLocal(filepath.FromSlash(name)) {
				continue
			}
			if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err == nil && info.Mode().IsRegular() {
				names = append(names, path.Clean(name))
			}
		}
		return names, nil
	}
	if !filepath.IsLocal(filepath.FromSlash(l.Dir)) {
		return nil, nil
	}
	all, err := regularFiles(filepath.Join(dir, filepath.FromSlash(l.Dir)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, name := range all {
		names = append(names, path.Join(l.Dir, name))
	}
	return names, err
}

// regularFiles returns every file below dir, with forward slashes. Anything that
// is neither a file nor a folder is returned too, because it has no business there.
func regularFiles(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if names = append(names, filepath.ToSlash(name)); len(names) > maxListedFiles {
			return fmt.Errorf("%s holds more than %d files", dir, maxListedFiles)
		}
		return err
	})
	return names, err
}

func fileSum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// checksumText is the list as sha256sum writes it, sorted by name.
func checksumText(sums map[string]string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%s  %s\n", sums[name], name)
	}
	return b.Bytes()
}

// readChecksums reads such a list. It refuses a line of another form, a name
// outside the folder and a name that stands twice.
func readChecksums(file string) (map[string]string, error) {
	text, err := readBounded(file, maxFileBytes)
	if err != nil {
		return nil, err
	}
	sums := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || !sha256Hex.MatchString(sum) || !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name || name == ChecksumsFile {
			return nil, fmt.Errorf("%s: line %d is no checksum of a file of this folder: %.120q", file, number, lines.Text())
		}
		if sums[name] != "" {
			return nil, fmt.Errorf("%s: line %d names %s again", file, number, name)
		}
		if sums[name] = sum; len(sums) > maxListedFiles {
			return nil, fmt.Errorf("%s: it names more than %d files", file, maxListedFiles)
		}
	}
	return sums, lines.Err()
}
