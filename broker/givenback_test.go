package broker

import (
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestGivenBackLargerThanMessagesMayBeNow: a message that is larger than maxMessageSize allows since is given back and comes again.
func TestGivenBackLargerThanMessagesMayBeNow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want(t, r.dial().call(sendTo("T", 0, "", strings.Repeat("x", 100<<10))), 0, "")
	r.visibleMax("T", 0, 1)
	r.stopBroker()
	r.startBroker("maxMessageSize=1024")
	c := r.dial()
	if a := c.call(sendTo("T", 0, "", strings.Repeat("x", 100<<10))); a.Code != remoting.RespMessageIllegal {
		t.Errorf("another one is answered with %d", a.Code)
	}
	want(t, c.call(beat("client", "G", "T", "*", 1)), 0, "")
	want(t, c.call(request(remoting.CodeConsumerSendMsgBack, "group", "G", "offset", 0, "delayLevel", 1, "originTopic", "T")), 0, "")
	r.visibleMax("%RETRY%G", 0, 1)
	r.nothingPending()
}
