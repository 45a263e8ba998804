package reports

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
)

// ledgerFile is the file of a run folder that names what went wrong.
const ledgerFile = "ledger.jsonl"

const (
	// maxNamed is how many anomalies of each kind a page names.
	maxNamed = 5
	// maxLedgerBytes bounds what is read of a ledger to find them.
	maxLedgerBytes = 16 << 20
)

// anomaly is one delivery that went wrong, as a line of the ledger names it. Of a
// message that could not be identified only kind and receiver are known.
type anomaly struct {
	Kind     string `json:"kind"`
	Phase    string `json:"phase"`
	Sender   string `json:"sender"`
	To       string `json:"to"`
	Seq      int    `json:"seq"`
	Receiver string `json:"receiver"`
}

// place names the message in a few words.
func (a anomaly) place() string {
	if a.Sender == "" {
		return "at " + clip(Redact(a.Receiver))
	}
	words := a.Sender + " → " + a.To + " #" + strconv.Itoa(a.Seq)
	if a.Receiver != "" && a.Receiver != a.To {
		words += " at " + a.Receiver
	}
	if a.Phase != "" && a.Phase != "measure" {
		words += " (" + a.Phase + ")"
	}
	return clip(Redact(words))
}

// readAnomalies returns the first anomalies of each kind from the ledger of the
// load's run folder, seen from the folder of its report. Where the run folder is
// not at hand there are none, and the counts of the report stand alone.
func readAnomalies(dir string, l *Load) []anomaly {
	clean := true
	for _, row := range l.Summary.Ledger {
		clean = clean && row.Clean()
	}
	place := filepath.FromSlash(l.Dir)
	if clean || place != "" && !filepath.IsLocal(place) {
		return nil
	}
	root, err := os.OpenRoot(filepath.Join(dir, place))
	if err != nil {
		return nil
	}
	defer root.Close()
	file, err := root.Open(ledgerFile)
	if err != nil {
		return nil
	}
	defer file.Close()
	var list []anomaly
	seen := make(map[string]int)
	read := 0
	for lines := bufio.NewScanner(file); lines.Scan() && read < maxLedgerBytes; {
		read += len(lines.Bytes())
		var line struct {
			Anomaly *anomaly `json:"anomaly"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Anomaly == nil {
			continue
		}
		if seen[line.Anomaly.Kind]++; seen[line.Anomaly.Kind] <= maxNamed {
			list = append(list, *line.Anomaly)
		}
	}
	return list
}
