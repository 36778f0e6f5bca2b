package broker

import (
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
