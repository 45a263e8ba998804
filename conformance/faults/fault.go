package faults

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// The subjects that a fault or a tolerance turns into a broken or an odd one.
const (
	// Server says that the proxy stands for a server: the suite connects to it.
	Server = "server"
	// Client says that proxy and line rewriter stand for a client: the client under test connects through the proxy.
	Client = "client"
)

// Fault is a planted defect.
type Fault struct {
	// Name is the area and what is wrong, such as "login.uid-of-65-bytes". It is unique and says nothing else twice.
	Name string
	// Text is one sentence about what the subject does wrong.
	Text string
	// Subject is [Server] or [Client].
	Subject string
	// Breaks are the ids of the requirements that the subject violates, at least one. A spec of each must fail.
	Breaks []string
	// Claims are the profiles that the subject claims under the fault, for a fault of what it does not claim; nil when the
	// claims make no difference.
	Claims []string
	// Plant makes the rewriting for one proxy; it is called once for each, so state lives in what it returns. Nil when
	// the fault rewrites lines only.
	Plant Plant
	// Lines makes the rewriting of adapter lines for one client program. Nil when the fault rewrites frames only.
	Lines func(*Counter) Lines
}

// Tolerance is a legal oddity that every requirement must bear.
type Tolerance struct {
	// Name is what is odd, such as "unknown-members".
	Name string
	// Text is one sentence about what the subject does, and which clause allows it.
	Text string
	// Subject is [Server] or [Client].
	Subject string
	// Claims are the profiles that the subject claims, all others it refuses; nil when it claims all.
	Claims []string
	// Plant makes the rewriting of frames for one proxy, nil when the tolerance rewrites lines only.
	Plant Plant
	// Lines makes the rewriting of adapter lines for one client program, nil when the tolerance rewrites frames only.
	Lines func(*Counter) Lines
}

// Plant prepares a proxy: what it returns is called for each link that is opened, and sets the link's hooks.
type Plant func(p *Proxy) func(l *Link)

// Way is the direction of a frame or line.
type Way bool

// The directions.
const (
	// ToServer is what a client sends.
	ToServer Way = false
	// ToClient is what a server sends.
	ToClient Way = true
)

// Lines rewrites one line between the suite and a client adapter, without its line break, and returns what is passed on
// instead: nothing, the line, or several. Commands go to the adapter, replies and events come from it.
type Lines func(toAdapter bool, line []byte) [][]byte

// Counter counts activations: how often a rewriter did what it is there for.
type Counter struct{ n atomic.Int64 }

// Hit counts one activation.
func (c *Counter) Hit() { c.n.Add(1) }

// Count returns the activations so far.
func (c *Counter) Count() int64 { return c.n.Load() }

// All returns every fault, in the order of the areas.
func All() []Fault { return slices.Concat(all...) }

// all are the lists of faults, one for each area and subject.
var all = [][]Fault{
	loginFaults,
	channelFaults,
	channelMessageFaults,
	channelMemberFaults,
	channelLimitFaults,
	evictionFaults,
	tokenFaults,
	tokenSessionFaults,
	peerFaults,
	peerMessageFaults,
	loginIDFaults,
	unclaimedFaults,
	transportFaults,
	hostileFaults,
	slowFaults,
	reconnectFaults,
	loginClientFaults,
	loginClientSessionFaults,
	tokenClientFaults,
	peerClientFaults,
	peerClientReceiveFaults,
	channelClientFaults,
	channelClientMessageFaults,
	transportClientFaults,
	transportClientReturnFaults,
}

// Tolerances returns every tolerance.
func Tolerances() []Tolerance { return slices.Clone(tolerances) }

// Get returns the fault of this name.
func Get(name string) (Fault, error) {
	for _, list := range all {
		for _, fault := range list {
			if fault.Name == name {
				return fault, nil
			}
		}
	}
	return Fault{}, fmt.Errorf("faults: there is no fault %q", name)
}

// Breaking returns the names of the faults that break a requirement.
func Breaking(id string) []string {
	var names []string
	for _, list := range all {
		for _, fault := range list {
			if slices.Contains(fault.Breaks, id) {
				names = append(names, fault.Name)
			}
		}
	}
	return names
}
