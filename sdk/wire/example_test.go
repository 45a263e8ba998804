package wire_test

import (
	"fmt"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func ExampleDecode() {
	frame, err := wire.Decode([]byte(`{"kind":"peer.send", "id":7, "to":"bob", "text":"hi"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if send, ok := frame.(*wire.PeerSend); ok {
		fmt.Println(send.To, send.Message.Text)
	}
	fmt.Printf("%s\n", frame.Append(nil))
	// Output:
	// bob hi
	// {"kind":"peer.send","id":7,"to":"bob","text":"hi"}
}

func ExampleDecode_refused() {
	_, err := wire.Decode([]byte(`{"kind":"login","id":1,"uid":"alice","UID":"bob"}`))
	fmt.Println(err)
	// Output:
	// frame: the member name at byte 42 must be "uid", in this case
}

func ExampleScan() {
	var e wire.Envelope
	if wire.Scan([]byte(`{"kind":"peer.send","id":7,"to":"bob","text":"hi"}`), &e) {
		fmt.Printf("%s to %s: %s, %d bytes\n", e.Kind, e.To, e.Payload, e.Size)
	}
	// Output:
	// peer.send to bob: "text":"hi", 2 bytes
}

func ExampleRefuse() {
	frame := wire.Refuse(3, wire.JoinExceedLimit, "20 channels are joined; leave one first")
	fmt.Printf("%s\n", frame.Append(nil))
	// Output:
	// {"kind":"error","id":3,"op":"channel.join","code":5,"name":"JOIN_CHANNEL_ERR_EXCEED_LIMIT","message":"20 channels are joined; leave one first"}
}

func ExampleCheckID() {
	fmt.Println(wire.CheckID("alice"))
	fmt.Println(wire.CheckID("null"))
	// Output:
	// <nil>
	// it is the word null, which is reserved
}
