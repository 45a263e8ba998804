package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/loadgen"
	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// openServer starts a reference server in this process, open to all and without call limits.
func openServer(t *testing.T) (url string) {
	t.Helper()
	limits := wire.DefaultLimits()
	limits.Calls = nil
	server, err := refserver.New(refserver.Config{OpenApps: true, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	http := httptest.NewServer(server.Handler())
	t.Cleanup(http.Close)
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	return strings.Replace(http.URL, "http://", "ws://", 1) + wire.Path
}

// sdkAdapter is the adapter of our own SDK in this process; cut may stand between it and its standard input.
func sdkAdapter(profiles []string, cut func(io.Reader) io.Reader) adapter.Command {
	identity := adapter.Identity{SDK: "rtmkit", Version: version, Language: "go", Profiles: profiles}
	return adapter.Command{
		Profiles: catalogue.Embedded().ProfileNames(),
		InProcess: func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
			return adapter.Serve(ctx, cut(stdin), stdout, identity, adapter.NewSDK)
		},
	}
}

func whole(r io.Reader) io.Reader { return r }

// underAdapter plays a workload with the clients of an adapter.
func underAdapter(t *testing.T, command adapter.Command, w loadgen.Workload) (*reports.Load, error, error) {
	t.Helper()
	url := openServer(t)
	d, err := startAdapterDriver(t.Context(), command, url, defaultAppID, w)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	load, err := loadgen.Run(t.Context(), w, loadgen.Options{URL: url, AppID: defaultAppID, Driver: d, Client: new(d.identity())})
	_ = d.look()
	return load, err, d.died()
}

// few is a small workload of peer and channel messages, text and raw.
func few() loadgen.Workload {
	w := loadgen.Peer(50, 2*time.Second, 6)
	w.Phases.Warmup = 0
	w.Channels = []loadgen.Channels{{Name: "room-%d", Count: 2, Members: 4}}
	w.Traffic = append(w.Traffic, loadgen.Traffic{
		ID: "room", Op: loadgen.OpChannel, Channel: "room-%d", Rate: 20, Arrival: loadgen.Constant,
		Payload: loadgen.Payload{Bytes: 100, Type: loadgen.Raw},
	})
	return w
}

func TestClientBehindItsAdapterCarriesEveryMessageOnce(t *testing.T) {
	load, err, died := underAdapter(t, sdkAdapter(clientProfiles(), whole), few())
	if err != nil || died != nil {
		t.Fatal(err, died)
	}
	rows := load.Summary.Ledger
	if len(rows) != 2 || rows[0].Sent != 100 || rows[0].DeliveredOnce != 100 || rows[1].Sent != 40 || rows[1].DeliveredOnce != 120 {
		t.Errorf("ledger %+v", rows)
	}
	for _, row := range rows {
		if !row.Clean() || row.AckedReceived != row.Sent {
			t.Errorf("ledger %+v", row)
		}
	}
	for _, e := range load.Summary.Equations {
		if !e.Holds {
			t.Errorf("%s: %s: %d and %d", e.Traffic, e.Text, e.Left, e.Right)
		}
	}
	if c := load.Manifest.Client; c == nil || c.Name != "rtmkit" || c.Language != "go" || c.Kind != "client" {
		t.Errorf("the manifest names the client %+v", c)
	}
	if len(load.Summary.Errors) > 0 {
		t.Errorf("errors %+v", load.Summary.Errors)
	}
}

// endAt ends an input behind its n-th line that holds a word.
type endAt struct {
	from *bufio.Reader
	left bytes.Buffer
	word string
	n    int
}

func (e *endAt) Read(p []byte) (int, error) {
	if e.left.Len() == 0 {
		if e.n == 0 {
			return 0, io.EOF
		}
		line, err := e.from.ReadBytes('\n')
		if err != nil {
			return 0, err
		}
		if bytes.Contains(line, []byte(e.word)) {
			e.n--
		}
		e.left.Write(line)
	}
	return e.left.Read(p)
}

func TestAdapterThatEndsInTheMiddleEndsTheRunWhichIsCounted(t *testing.T) {
	command := sdkAdapter(clientProfiles(), func(r io.Reader) io.Reader {
		return &endAt{from: bufio.NewReader(r), word: `"sendPeer"`, n: 40}
	})
	load, err, died := underAdapter(t, command, few())
	if err != nil || load == nil {
		t.Fatal(load, err)
	}
	if died == nil || !strings.Contains(died.Error(), "ended while it was needed") {
		t.Errorf("the adapter died of %v", died)
	}
	if code := loadCode(load, err); code != exitUnreachable {
		t.Errorf("exit code %d", code)
	}
	if row := load.Summary.Ledger[0]; row.Sent < 40 || row.Sent == 100 || row.AckedReceived > 40 {
		t.Errorf("ledger %+v", row)
	}
	for _, e := range load.Summary.Equations {
		if !e.Holds {
			t.Errorf("%s: %s: %d and %d", e.Traffic, e.Text, e.Left, e.Right)
		}
	}
}

// holdUp lets lines with a word pass only once it is open.
type holdUp struct {
	from *bufio.Reader
	word string
	open <-chan struct{}
}

func (g *holdUp) Read(p []byte) (int, error) {
	line, err := g.from.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if bytes.Contains(line, []byte(g.word)) {
		<-g.open
	}
	if len(line) > len(p) {
		return 0, fmt.Errorf("a line of %d bytes does not fit into %d", len(line), len(p))
	}
	return copy(p, line), nil
}

func TestClientThatCannotKeepUpShedsAndTheServerIsNotBlamed(t *testing.T) {
	long(t)
	open := make(chan struct{})
	command := sdkAdapter(clientProfiles(), func(r io.Reader) io.Reader {
		return &holdUp{from: bufio.NewReader(r), word: `"createMessage"`, open: open}
	})
	// The adapter takes nothing until the measured phase is over, far more than fits into its queue.
	w := loadgen.Peer(2000, time.Second, 6)
	w.Phases.Warmup = 0
	url := openServer(t)
	d, err := startAdapterDriver(t.Context(), command, url, defaultAppID, w)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	opened := false
	load, err := loadgen.Run(t.Context(), w, loadgen.Options{
		URL: url, AppID: defaultAppID, Driver: d, Client: new(d.identity()),
		Progress: func(p loadgen.Progress) {
			if !opened && p.Phase != "connect" && p.Phase != "measure" {
				opened = true
				close(open)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	row := load.Summary.Ledger[0]
	// What piles up for one client is begun by goroutines of the adapter, which may swap; so the order is not judged here.
	if row.Shed < 500 || row.Sent < adapterQueue || row.Sent+row.Shed != row.Scheduled || row.Lost+row.Duplicated > 0 || row.AckedReceived != row.Sent {
		t.Errorf("ledger %+v", row)
	}
	if v := load.Summary.Validity; v.Verdict != reports.Invalid || v.Attribution == "server bound" {
		t.Errorf("validity %+v", v)
	}
}

func TestClientThatCannotPlayTheWorkloadIsRefusedBeforeTheRun(t *testing.T) {
	_, err := startAdapterDriver(t.Context(), sdkAdapter([]string{"core"}, whole), "ws://127.0.0.1:1/rtm/v1", defaultAppID, few())
	if err == nil || !strings.Contains(err.Error(), "it has channels, and rtmkit does not claim the profile channels") {
		t.Errorf("without channels: %v", err)
	}
}
