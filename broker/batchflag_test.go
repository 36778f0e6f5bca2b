package broker

import (
	"strconv"
	"testing"

	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// TestSingleSendsAreNoBatches: a record that says it is a batch takes the queue places it names.
func TestSingleSendsAreNoBatches(t *testing.T) {
	r := newRig(t)
	kept := remoting.NewTopicConfig("Kept", 1, 6)
	kept.Attributes = map[string]string{"queue.type": "BatchCQ"}
	r.broker.topics.Put(kept)
	c := r.dial()
	claim := func(topic, flag, properties string, code int32, body string) *remoting.Command {
		cmd := sendTo(topic, 0, properties, body)
		cmd.Code = code
		for i := range cmd.Ext {
			switch string(cmd.Ext[i].Key) {
			case "f":
				cmd.Ext[i].Value = []byte(flag)
			case "m":
				cmd.Ext[i].Value = strconv.AppendBool(nil, code == remoting.CodeSendBatchMessage)
			}
		}
		return c.call(cmd)
	}
	const single, batch = remoting.CodeSendMessageV2, remoting.CodeSendBatchMessage
	for _, topic := range []string{"T", "Kept"} {
		for _, properties := range []string{"", "DELAY\x011\x02"} {
			want(t, claim(topic, "128", properties, single, "x"), remoting.RespMessageIllegal, r.broker.illegal())
			want(t, claim(topic, "0", properties+"INNER_NUM\x017\x02", single, "x"), remoting.RespMessageIllegal, r.broker.illegal())
		}
	}
	want(t, claim("T", "64", "", single, "x"), 0, "")
	want(t, claim("T", "192", "", batch, batchBody(2)), 0, "")
	r.visibleMax("T", 0, 3)
	records := c.call(pullOf("G", "T", 0, 0, "*", 0)).Body
	for n := range int64(3) {
		var m record.Record
		if err := m.Parse(records); err != nil || m.SysFlag&0xC0 != 0 || m.QueueOffset != n {
			t.Fatal(err, m.SysFlag, m.QueueOffset)
		}
		records = records[m.TotalSize:]
	}
	want(t, claim("Kept", "0", "UNIQ_KEY\x01U\x02", batch, batchBody(2)), 0, "")
	r.visibleMax("Kept", 0, 2)
	want(t, c.giveBack(t, c.call(pullOf("G", "Kept", 0, 0, "*", 0)).Body, 1), remoting.RespSystemError, "MESSAGE_ILLEGAL")
}

// TestPreparedSendsAreServed: what a client says of transactions without the property of one changes nothing: what is acknowledged is
// served, and takes no offset that nothing is at.
func TestPreparedSendsAreServed(t *testing.T) {
	r := newRig(t)
	kept := remoting.NewTopicConfig("Kept", 1, 6)
	kept.Attributes = map[string]string{"queue.type": "BatchCQ"}
	r.broker.topics.Put(kept)
	c := r.dial()
	for _, topic := range []string{"T", "Kept"} {
		var flags []int32
		for _, f := range []struct{ sent, stored int32 }{{record.SysFlagPrepared, 0}, {record.SysFlagRollback, 0}, {record.SysFlagCommit, record.SysFlagCommit}} {
			for _, n := range []int{1, 2} {
				cmd := sendTo(topic, 0, "", "x")
				if n > 1 {
					cmd = sendTo(topic, 0, "", batchBody(n))
					cmd.Code = remoting.CodeSendBatchMessage
				}
				for i := range cmd.Ext {
					switch string(cmd.Ext[i].Key) {
					case "f":
						cmd.Ext[i].Value = strconv.AppendInt(nil, int64(f.sent), 10)
					case "m":
						cmd.Ext[i].Value = strconv.AppendBool(nil, n > 1)
					}
				}
				want(t, c.call(cmd), 0, "")
				for range n {
					flags = append(flags, f.stored)
				}
			}
		}
		r.visibleMax(topic, 0, int64(len(flags)))
		records := c.call(pullOf("G", topic, 0, 0, "*", 0)).Body
		for n, flag := range flags {
			var m record.Record
			if err := m.Parse(records); err != nil || m.SysFlag&record.SysFlagTransaction != flag || m.QueueOffset != int64(n) {
				t.Fatal(topic, n, err, m.SysFlag, m.QueueOffset)
			}
			records = records[m.TotalSize:]
		}
	}
}
