package namesrv

import (
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestBuildIsTold: a name server says which build it is to who asks for it, and to nobody else: the answer has stock's form then.
func TestBuildIsTold(t *testing.T) {
	_, c := startWith(t, Options{Version: "v1.2.3"})
	plain := call(t, c, request(remoting.CodeGetNamesrvConfig))
	asked := call(t, c, request(remoting.CodeGetNamesrvConfig, "ringmqVersion=true"))
	if _, there := plain.Get("ringmqVersion"); there || strings.Contains(string(plain.Body), "v1.2.3") {
		t.Errorf("told without a question: %s", plain.Body)
	}
	if got := asked.Text("ringmqVersion"); got != "v1.2.3" {
		t.Errorf("the build is %q", got)
	}
	if len(plain.Body) == 0 || string(asked.Body) != string(plain.Body) {
		t.Errorf("the configuration differs: %s", asked.Body)
	}
}
