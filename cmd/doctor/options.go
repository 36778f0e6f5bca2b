package doctor

import (
	"time"
)

// Options say what to look at. What is empty is found out where something else tells it: a broker names its name servers, these name
// their brokers, a broker.conf names all of them and the store.
type Options struct {
	NameServers []string // host:port
	Broker      string   // host:port; looked at besides those that the name servers know
	ConfigFile  string   // a broker.conf, or a namesrv.conf
	Store       string   // directory of a store on this machine; only read
	Topic       string
	Group       string
	NoMessage   bool          // only questions are asked: no topic, no message, no lock
	Timeout     time.Duration // of a connection and of an answer; 0: 3 s
	Clock       func() time.Time
	Proc        string // where the kernel tells about processes; "": /proc
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	return o
}
