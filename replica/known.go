package replica

import "time"

// This file is what a master can say of its slaves.

// SlaveState is what a master knows of one connected slave.
type SlaveState struct {
	Addr           string // host:port of its connection
	Ours           bool   // it speaks the extension
	AckOffset      int64  // it has everything before this
	SentOffset     int64  // it was sent everything before this
	InStep         bool
	BytesPerSecond int64
}

// Slaves lists the connected slaves; backups in the making are none. Any goroutine.
func (l *Leader) Slaves() []SlaveState {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]SlaveState, 0, len(l.peers))
	for s := range l.peers {
		if s.isCopy() {
			list = append(list, SlaveState{Addr: s.addr, Ours: s.ours, AckOffset: s.progress.acked, SentOffset: s.progress.sent, InStep: s.progress.inStep,
				BytesPerSecond: s.meter.rate(l.Uptime())})
		}
	}
	return list
}

// AllOurs says whether there are slaves and all of them speak the extension. Any goroutine; no lock, no allocation.
func (l *Leader) AllOurs() bool {
	some := false
	for _, s := range *l.senders.Load() {
		if s.aside {
			continue
		}
		if !s.ours {
			return false
		}
		some = true
	}
	return some
}

// AllHave says whether there are slaves and all of them have acknowledged what lies before an offset. Any goroutine.
func (l *Leader) AllHave(offset int64) bool {
	some := false
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range *l.senders.Load() {
		if s.aside {
			continue
		}
		if s.progress.acked < offset {
			return false
		}
		some = true
	}
	return some
}

// Refusal is a slave that is given nothing until somebody decides.
type Refusal struct {
	Host   string // without the port, which changes with every attempt
	Why    string
	Offset int64 // where its log ends
	At     time.Time
	Times  int64
}

// Refusals lists the slaves that were refused and have not been taken since. Any goroutine.
func (l *Leader) Refusals() []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Refusal, 0, len(l.turned))
	for _, r := range l.turned {
		list = append(list, r)
	}
	return list
}

// Garbage counts the connections that were ended since they spoke no HA protocol, or said nothing. Any goroutine.
func (l *Leader) Garbage() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.garbage
}

// FellOut counts how often a slave that was in step no longer was, or left. Any goroutine.
func (l *Leader) FellOut() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fellOut
}
