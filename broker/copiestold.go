package broker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// refusalFresh is how old the last attempt of a slave may be that is told as refused: it tries again every 6 to 30 s, or is gone.
const refusalFresh = 2 * time.Minute

// copiesTold adds to the figures of 28, for those who ask for ours too, how this broker takes part in copying. On a slave:
// replicationMaster, the address tried last; replicationConnected; replicationRefused, why nothing is copied until somebody decides;
// replicationSilentMs since the master was heard, -1 for never. On a master: replicationListen, where slaves are told to connect to;
// replicationWanted and replicationInStep, copies; replicationEnough and replicationRefuses, whether sends wait for copies or are
// refused; replicationHeldBytes, how much of the log is safe here and kept from consumers until slaves have it; replicationRefusedSlaves.
// What does not apply is left out.
func (b *Broker) copiesTold(t map[string]string) {
	if f := b.replication.follower; f != nil {
		s := f.State()
		t["replicationMaster"], t["replicationConnected"], t["replicationSilentMs"] = s.Master, strconv.FormatBool(s.Connected), "-1"
		if !s.LastRead.IsZero() {
			t["replicationSilentMs"] = strconv.FormatInt(max(0, time.Since(s.LastRead).Milliseconds()), 10)
		}
		if s.Refused != "" {
			t["replicationRefused"] = s.Refused
		}
		return
	}
	l := b.replication.leader
	if l == nil {
		return
	}
	agreed, keys := l.Agreed(), b.c.Replication()
	t["replicationListen"] = b.haAddr()
	t["replicationWanted"], t["replicationInStep"] = strconv.Itoa(max(keys.Copies, keys.MinCopies)), strconv.Itoa(agreed.InStep)
	t["replicationEnough"], t["replicationRefuses"] = strconv.FormatBool(agreed.Enough), strconv.FormatBool(agreed.Refuses)
	safe := b.store.Sendable().Load() // first: what comes into sight meanwhile is not held
	t["replicationHeldBytes"] = strconv.FormatInt(max(safe-b.store.Visible().Load(), 0), 10)
	var refused []string
	for _, r := range l.Refusals() {
		if time.Since(r.At) < refusalFresh {
			refused = append(refused, fmt.Sprintf("%s: %s (its log ends at %d)", r.Host, r.Why, r.Offset))
		}
	}
	if slices.Sort(refused); len(refused) > 0 {
		t["replicationRefusedSlaves"] = strings.Join(refused, "; ")
	}
}
