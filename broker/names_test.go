package broker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestGroupNamesStayOutOfTheFileSystem: topics are named after groups, and the store makes folders of topics.
func TestGroupNamesStayOutOfTheFileSystem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	raw := c.call(pullOf("G", "T", 0, 0, "*", 0)).Body
	const illegal = "The specified group contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
	for name, remark := range map[string]string{"/../../commitlog": illegal, "n/1": illegal, `a\u0000b`: illegal, "": "The specified group is blank.", strings.Repeat("g", 256): "The specified group is longer than group max length."} {
		one := `{"groupName":"` + name + `"}`
		want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroup, one)), remoting.RespInvalidParameter, remark)
		want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroupList, `{"groupConfigList":[`+one+`]}`)), remoting.RespInvalidParameter, remark)
	}
	// A file of another broker may have them all the same.
	for _, group := range []string{"/../../commitlog", "a\x00b"} {
		r.broker.groups.Put(remoting.NewSubscriptionGroupConfig(group))
		want(t, c.call(beat("c", group, "T", "*", 1)), 0, "")
		if a := c.giveBack(t, raw, -1, "group", group); a.Code != remoting.RespSubscriptionGroupNotExist {
			t.Error(group, a.Code, string(a.Remark))
		}
		for _, topic := range []string{"%RETRY%" + group, "%DLQ%" + group} {
			if _, made := r.broker.topics.Lookup(topic); made {
				t.Errorf("topic %q was made", topic)
			}
			if a := c.call(request(remoting.CodeDeleteTopicInBroker, "topic", topic)); a.Code != remoting.RespInvalidParameter {
				t.Error(topic, a.Code, string(a.Remark))
			}
		}
	}
	if _, err := os.Stat(filepath.Join(r.root, "store", "commitlog")); err != nil {
		t.Fatal(err)
	}
	long := "%DLQ%" + strings.Repeat("g", 255)
	want(t, c.call(request(remoting.CodeDeleteTopicInBroker, "topic", long)), 0, "")
}
