// Package adapter is how the suite speaks to a client SDK under test. [Client] is what it asks of one, and [NewSDK] is
// this project's own.
package adapter
