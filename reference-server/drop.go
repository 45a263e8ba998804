package refserver

// dropReason says why something that a client had sent was not delivered. It is the
// enum, the metric label and the log word at once.
type dropReason uint8

const (
	dropSlowConsumer dropReason = iota // what waited for a connection that read too slowly; counted per connection
	dropInboxFull                      // a peer message for a session that acknowledges too slowly
	dropSessionEnded                   // a held peer message whose receiver did not come back
	dropOutcome                        // an answer for a sender that has too many of them to come back to
	dropReasons
)

var dropNames = [dropReasons]string{"slow_consumer", "inbox_full", "session_ended", "outcome_full"}

func (r dropReason) String() string { return dropNames[r] }

// reject says why a connection was not accepted.
type reject uint8

const (
	rejectServer  reject = iota // the server has as many connections as it takes
	rejectAddress               // the address has
	rejects
)

var rejectNames = [rejects]string{"server_full", "address_full"}

func (r reject) String() string { return rejectNames[r] }
