package faultnet_test

import (
	"fmt"
	"io"
	"net"

	"github.com/rtmkit/rtmkit/conformance/faultnet"
)

func Example() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()

	proxy, err := faultnet.Listen(server.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Close()
	proxy.Slice(faultnet.ToServer, 1)

	conn, err := net.Dial("tcp", proxy.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "in pieces")
	answer := make([]byte, 9)
	_, err = io.ReadFull(conn, answer)
	fmt.Println(string(answer), err)

	proxy.Cut()
	_, err = conn.Read(answer)
	fmt.Println("still open:", err == nil)

	// Output:
	// in pieces <nil>
	// still open: false
}
