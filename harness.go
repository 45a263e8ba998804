package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/reports"
)

// harnessCase is a subject that cannot be judged. A run must say so with exit code 3
// and one sentence: never green, never red, and never for ever.
type harnessCase struct {
	name, text string
	// adapter is the kind of useless adapter, for a client.
	adapter string
	// serve is what a useless server does with a connection, for a server; nil is none at all.
	serve func(net.Conn)
}

// harnessCases are the useless subjects of the selftest.
var harnessCases = []harnessCase{
	{name: "client-dies", text: "An adapter ends at once.", adapter: "dies"},
	{name: "client-mute", text: "An adapter never answers.", adapter: "mute"},
	{name: "client-chatty", text: "An adapter logs to standard output.", adapter: "chatty"},
	{name: "client-agrees", text: "An adapter agrees to every command.", adapter: "agrees"},
	{name: "client-twice", text: "An adapter answers everything twice.", adapter: "twice"},
	{name: "client-floods", text: "An adapter writes without end.", adapter: "floods"},
	{name: "client-elsewhere", text: "An adapter answers for a command that was never given.", adapter: "elsewhere"},
	{name: "client-boastful", text: "An adapter claims a profile that does not exist.", adapter: "boastful"},
	{name: "client-helpless", text: "An adapter's clients cannot log in.", adapter: "helpless"},
	{name: "server-unreachable", text: "Nothing listens at the server's address."},
	{name: "server-mute", text: "A server accepts connections and says nothing.", serve: func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }},
	{name: "server-web", text: "A web server is no WebSocket server.", serve: func(conn net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	}},
	{name: "server-of-another-protocol", text: "A WebSocket server speaks another subprotocol.", serve: upgraded("chat", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })},
	{name: "server-silent-after-handshake", text: "A WebSocket server never answers a login.", serve: upgraded("rtm.v1.json", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })},
	{name: "server-cuts-a-frame", text: "A WebSocket server ends in the middle of a frame.", serve: upgraded("rtm.v1.json", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1024))
		_, _ = conn.Write([]byte{0x81, 100, '{', '"'})
	})},
	{name: "server-of-endless-words", text: "A WebSocket server answers a login with 10 MB.", serve: upgraded("rtm.v1.json", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1024))
		_, _ = conn.Write([]byte{0x81, 127, 0, 0, 0, 0, 0, 0x98, 0x96, 0x80})
		_, _ = conn.Write(bytes.Repeat([]byte("x"), 10_000_000))
	})},
}

// upgraded opens a WebSocket of a subprotocol and goes on below it.
func upgraded(subprotocol string, then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		recorder := &hijacked{conn: conn, header: make(http.Header)}
		upgrader := websocket.Upgrader{Subprotocols: []string{subprotocol}, CheckOrigin: func(*http.Request) bool { return true }}
		if subprotocol == "chat" {
			request.Header.Set("Sec-WebSocket-Protocol", subprotocol)
		}
		if _, err := upgrader.Upgrade(recorder, request, nil); err == nil {
			then(conn)
		}
	}
}

// hijacked is a response writer for a connection that no HTTP server manages.
type hijacked struct {
	conn   net.Conn
	header http.Header
}

func (h *hijacked) Header() http.Header         { return h.header }
func (h *hijacked) Write(p []byte) (int, error) { return h.conn.Write(p) }
func (h *hijacked) WriteHeader(int)             {}
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// harnessWithin bounds a case. Each must end by itself far sooner.
const harnessWithin = 60 * time.Second

// runHarness runs every case in a process of its own, several at a time.
func runHarness(ctx context.Context) ([]reports.HarnessResult, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fail(exitBroken, "cannot find the rtmkit binary: %w", err)
	}
	results := make([]reports.HarnessResult, len(harnessCases))
	errs := make([]error, len(harnessCases))
	var running sync.WaitGroup
	slots := make(chan struct{}, 3)
	for i, harness := range harnessCases {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i], errs[i] = harness.run(ctx, self)
		})
	}
	running.Wait()
	return results, errors.Join(errs...)
}

func (h harnessCase) run(ctx context.Context, self string) (reports.HarnessResult, error) {
	result := reports.HarnessResult{Name: h.name, Text: h.text, WantExit: int(exitUnreachable)}
	ctx, cancel := context.WithTimeout(ctx, harnessWithin)
	defer cancel()
	args := []string{"conform", "run", "--slow-factor", "0.2", "--workers", "1"}
	if h.adapter != "" {
		args = append(args, "--client", "--", self, "adapter", "useless", h.adapter)
	} else {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return result, fail(exitBroken, "no useless server can be started: %w", err)
		}
		stop := h.listen(listener)
		defer stop()
		args = append(args, "--server", "ws://"+listener.Addr().String()+"/rtm/v1")
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error {
		killGroup(cmd.Process.Pid)
		return nil
	}
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return result, fail(exitBroken, "the case %s cannot be run: %w", h.name, err)
	}
	result.GotExit = cmd.ProcessState.ExitCode()
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	result.Said = reports.Redact(strings.TrimPrefix(lines[len(lines)-1], "rtmkit: "))
	return result, nil
}

// listen lets the useless server take connections until the returned function ends it.
func (h harnessCase) listen(listener net.Listener) (stop func()) {
	if h.serve == nil {
		_ = listener.Close()
		return func() {}
	}
	var (
		mu    sync.Mutex
		conns []net.Conn
		busy  sync.WaitGroup
	)
	busy.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			busy.Go(func() {
				h.serve(conn)
				_ = conn.Close()
			})
		}
	})
	return func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		busy.Wait()
	}
}
