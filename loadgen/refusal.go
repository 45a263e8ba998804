package loadgen

import "github.com/rtmkit/rtmkit/sdk/wire"

// RefusalOf returns the failure of an operation that was answered with an error of the published API, in the class that
// its code means. It is for drivers that get such errors from a client library. A login that was refused is
// [ClassAuth], unless the code says that it came too often; a code that is not known is [ClassRefused].
func RefusalOf(op string, code int, text string) *Failure {
	f := refusal(wire.Kind(op), &wire.Error{Code: code, Name: text})
	if op == string(wire.KindLogin) && f.Class == ClassRefused {
		f.Class = ClassAuth
	}
	return f
}
