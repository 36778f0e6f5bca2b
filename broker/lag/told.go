package lag

import "time"

// Field is a field of request 208 that only our brokers look at: they answer it with one of the same name, Told as JSON.
const Field = "ringmqLag"

// Told is what a broker says beside a group's progress in the topics asked for, and stock's answer has no place for.
type Told struct {
	Hidden int64 `json:"hidden"` // messages that are stored and that consumers cannot see yet
	// SlowerSince is the earliest State.SlowerSince; zero also of a broker that does not look, having no alarm of lag.
	SlowerSince time.Time `json:"slowerSince,omitzero"`
}
