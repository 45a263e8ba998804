package specs

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
