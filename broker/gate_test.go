package broker

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// TestStrangersMayNotAdminister: of all that is served, one who is neither on this machine nor in a network of administrators gets what
// clients and brokers need, and nothing else; on the second port too.
func TestStrangersMayNotAdminister(t *testing.T) {
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) {
		b.admits = func(_ *netpoll.Conn, req *remoting.Command) bool { return !remoting.IsAdmin(req.Code) }
	})
	refused, served := 0, 0
	for _, c := range []*client{r.dial(), r.dialFast()} {
		for code := range int32(maxCode) {
			hd := r.broker.handlerOf(code)
			if hd == nil {
				continue
			}
			if !hd.admin {
				served++
				continue
			}
			resp := c.call(remoting.NewRequest(code))
			if resp.Code != remoting.RespNoPermission || !strings.Contains(string(resp.Remark), "adminAllowedCidrs") {
				t.Error(remoting.CodeName(code), resp.Code, string(resp.Remark))
			}
			refused++
		}
	}
	if refused < 60 || served < 50 {
		t.Error(refused, "refused and", served, "served on two ports")
	}
	change := remoting.NewRequest(remoting.CodeUpdateBrokerConfig)
	change.Body = []byte("autoCreateTopicEnable=false\n")
	if resp := r.dial().call(change); resp.Code != remoting.RespNoPermission || !r.broker.c.Bool("autoCreateTopicEnable") {
		t.Error(resp.Code, string(resp.Remark))
	}
	if resp := r.dial().call(remoting.NewRequest(remoting.CodeGetAllTopicConfig)); resp.Code != remoting.RespSuccess {
		t.Error("a slave gets", resp.Code, string(resp.Remark))
	}
}

// TestWhereSlavesComeFrom: haAllowedCidrs says it, to the leader too, and a SYNC_MASTER that asks everybody in is warned of.
func TestWhereSlavesComeFrom(t *testing.T) {
	elsewhere, near := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("10.1.2.3")
	mine := netip.MustParseAddr("10.9.9.9")
	const warning = "haAllowedCidrs says from where"
	for name, c := range map[string]struct {
		keys  []string
		warns bool
	}{
		"loopback only":  {[]string{"brokerRole=SYNC_MASTER"}, false},
		"everybody":      {[]string{"brokerRole=SYNC_MASTER", "bindAddress=0.0.0.0"}, true},
		"some":           {[]string{"brokerRole=SYNC_MASTER", "bindAddress=0.0.0.0", "haAllowedCidrs=10.1.0.0/16"}, false},
		"no slave waits": {[]string{"brokerRole=ASYNC_MASTER", "bindAddress=0.0.0.0"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeLeader{}
			r := &rig{t: t, root: t.TempDir()}
			r.startRoutes("127.0.0.1", 0)
			var log logged
			r.startWith(Options{lead: f.lead, Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(*Broker) {}, c.keys...)
			if got := log.lines(warning); (len(got) == 1) != c.warns {
				t.Error(got)
			}
			if gated := f.o.Lets != nil; gated != (name == "some") {
				t.Fatal("gated:", gated)
			} else if gated && (f.o.Lets(elsewhere, mine) || !f.o.Lets(near, mine) || !f.o.Lets(mine, mine)) {
				t.Error("the wrong ones come in")
			}
		})
	}
}
