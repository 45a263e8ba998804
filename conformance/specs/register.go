package specs

import (
	"slices"
	"sync"
)

// registrations are the functions that register specs, in the order of the catalogue's areas, the programs last.
var registrations = []func(env *Env){
	RegisterLogin,
	RegisterLoginClient,
	RegisterToken,
	RegisterTokenClient,
	RegisterPeer,
	RegisterPeerClient,
	RegisterChannel,
	RegisterChannelClient,
	RegisterTransport,
	RegisterTransportClient,
	RegisterModel,
	RegisterUnclaimed,
}

// registered are what the functions above have verified when they ran last.
var registered = make([]verified, len(registrations))

// verified are the ids that one registration is about; none before it has run once.
type verified struct{ ids []string }

// matter tells whether specs of these ids may be among those of the registration.
func (v *verified) matter(ids []string) bool {
	verifying.Lock()
	defer verifying.Unlock()
	return len(ids) == 0 || len(v.ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(v.ids, id) })
}

// note runs the registration and keeps what it verifies.
func (v *verified) note(register func()) {
	verifying.Lock()
	verifying.ids = nil
	verifying.Unlock()
	register()
	verifying.Lock()
	defer verifying.Unlock()
	v.ids = verifying.ids
}

// verifying collects the ids that Verifies is called with.
var verifying struct {
	sync.Mutex
	ids []string
}
