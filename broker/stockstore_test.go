package broker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// TestDirectoriesOfAStockBroker opens what a stock broker left and asks for all of it over the wire: topics, progress, queues, and
// every message byte for byte.
func TestDirectoriesOfAStockBroker(t *testing.T) {
	for _, name := range []string{"clean", "killed", "crc"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t, root: t.TempDir()}
			r.startRoutes("127.0.0.1", 0)
			root := golden.Store(t, name)
			conf := golden.StoreConf(t, name)
			var settings []string
			for _, key := range []string{"mappedFileSizeCommitLog", "mappedFileSizeConsumeQueue", "mapperFileSizeBatchConsumeQueue", "maxHashSlotNum", "maxIndexNum"} {
				if v := conf[key]; v != "" {
					settings = append(settings, key+"="+v)
				}
			}
			r.startBroker(append(settings, "storePathRootDir="+root, "storePathCommitLog="+filepath.Join(root, "commitlog"), "fileReservedTime=1000000")...)
			c := r.dial()
			served := map[string]string{}
			seen := 0
			for _, m := range golden.Manifest(t, name) {
				seen++
				switch m.Kind {
				case "topic":
					checkTopicOf(t, c, m.Config)
				case "offset":
					a := c.call(request(remoting.CodeQueryConsumerOffset, "consumerGroup", m.Group, "topic", m.Topic, "queueId", m.QueueID))
					if a.Code != 0 || a.Text("offset") != strconv.FormatInt(m.Offset, 10) {
						t.Errorf("progress of %s in %s %d: %d %s, want %d", m.Group, m.Topic, m.QueueID, a.Code, a.Text("offset"), m.Offset)
					}
				case "queue":
					a := c.call(request(remoting.CodeGetMaxOffset, "topic", m.Topic, "queueId", m.QueueID))
					// What waited for its time may have been delivered meanwhile.
					if got, _, _ := a.Int64("offset"); got < m.MaxOffset {
						t.Errorf("%s %d ends at %d, want %d", m.Topic, m.QueueID, got, m.MaxOffset)
					}
					pullAll(t, c, served, m.Topic, m.QueueID, m.MinOffset)
				case "message":
					if got := served[place(m.Topic, m.QueueID, m.QueueOffset)]; got != m.RecordSha256 {
						t.Errorf("%s %d at %d: %s, want %s", m.Topic, m.QueueID, m.QueueOffset, got, m.RecordSha256)
					}
				default:
					seen--
				}
			}
			if seen < 500 {
				t.Fatal("only", seen, "lines looked at")
			}
		})
	}
}

func checkTopicOf(t *testing.T, c *client, recorded json.RawMessage) {
	t.Helper()
	var wanted, got remoting.TopicConfig
	if err := json.Unmarshal(recorded, &wanted); err != nil {
		t.Fatal(err)
	}
	a := c.call(request(remoting.CodeGetTopicConfig, "topic", wanted.TopicName))
	if err := remoting.Unmarshal(a.Body, &got); err != nil || fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("topic %s: %d %v %+v, want %+v", wanted.TopicName, a.Code, err, got, wanted)
	}
}

func place(topic string, queue int32, offset int64) string {
	return fmt.Sprint(topic, "/", queue, "/", offset)
}

// pullAll notes the checksum of every record of a queue.
func pullAll(t *testing.T, c *client, served map[string]string, topic string, queue int32, offset int64) {
	t.Helper()
	for {
		a := c.call(pullOf("CG_golden", topic, int(queue), offset, "*", 0))
		next, _, _ := a.Int64("nextBeginOffset")
		if a.Code == remoting.RespSuccess || a.Code == remoting.RespPullRetryImmediately {
			if next <= offset {
				t.Fatalf("%s %d goes on at %d after %d", topic, queue, next, offset)
			}
			offset = next
		} else if a.Code == remoting.RespPullNotFound {
			return
		} else {
			t.Fatalf("%s %d at %d: %d %s", topic, queue, offset, a.Code, a.Remark)
		}
		for rest := a.Body; len(rest) > 0; {
			var m record.Record
			if err := m.Parse(rest); err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(rest[:m.TotalSize])
			served[place(topic, queue, m.QueueOffset)] = hex.EncodeToString(sum[:])
			rest = rest[m.TotalSize:]
		}
	}
}
