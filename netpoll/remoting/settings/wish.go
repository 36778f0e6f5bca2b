package settings

import (
	"fmt"
	"strings"
)

// Wish is a value of a key that asks for something this program does not have: Value itself or, with Other, anything but Value.
type Wish struct {
	Key, Value string
	Other      bool
	Why        string // it cannot be had, for messages
}

// TLS are the wishes for encryption: without it, what was meant to be closed would be open to everyone on the way.
var TLS = []Wish{
	{Key: "useTLS", Value: "true", Why: noTLS}, {Key: "tls.enable", Value: "true", Why: noTLS}, {Key: "tlsEnable", Value: "true", Why: noTLS},
	{Key: "tls.server.mode", Value: "enforcing", Why: noTLS},
}

const noTLS = "TLS is not built yet, and running without it would leave the connections open"

// Wished returns where a wish was made; ok is false if nobody made it. What a table has for default counts as nobody's.
func (v *Values) Wished(w Wish) (s Setting, ok bool) {
	if s, ok = v.Found(w.Key); !ok {
		return s, false
	}
	return s, strings.EqualFold(strings.TrimSpace(s.Value), w.Value) != w.Other
}

// Refuse returns an error that names key, value, place and reason of the first of the wishes that was made.
func (v *Values) Refuse(wishes []Wish) error {
	for _, w := range wishes {
		if s, ok := v.Wished(w); ok {
			return fmt.Errorf("%s: %s=%s is refused: %s", s.Where, s.Key, s.Value, w.Why)
		}
	}
	return nil
}
