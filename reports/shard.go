package reports

import "time"

// Shard is one part of a load run that several processes play together.
type Shard struct {
	// Index is the number of the part, from 0 to Count-1.
	Index int `json:"index"`
	// Count is how many parts the run has.
	Count int `json:"count"`
	// StartAt is the wall time at which all parts began.
	StartAt time.Time `json:"start_at"`
	// FirstSession is the number of the first session that the part played.
	FirstSession int `json:"first_session"`
	// Sessions is how many sessions it played, from FirstSession on.
	Sessions int `json:"sessions"`
}

// ShardPart is what a merged run keeps of one of its parts: what cannot be added
// up.
type ShardPart struct {
	// Shard says which part it was.
	Shard Shard `json:"shard"`
	// Environment is the machine that played the part.
	Environment Environment `json:"environment"`
	// Pacer is how intended times were kept there.
	Pacer Pacer `json:"pacer"`
	// StartedAt is when the part began, by the clock of its machine.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when its last socket was closed.
	EndedAt time.Time `json:"ended_at"`
	// Interrupted says that the part was cut short.
	Interrupted bool `json:"interrupted,omitempty"`
	// Validity is the verdict on the part. The merged run is as valid as the
	// least valid part.
	Validity Validity `json:"validity"`
	// Health is the state of the part's generator and of the server, as far as
	// that machine could see it, without the seconds.
	Health Health `json:"health,omitzero"`
}
