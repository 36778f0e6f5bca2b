package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// This file is for whoever makes a backup of a master: what the master says of itself, and its tables as a slave of this kind copies them.

// peerBackupKey stands in a request for the progress of delayed messages (45) of whoever makes a backup; the answer has it with
// BackupFacts in JSON.
const peerBackupKey = "ringmqBackup"

// BackupFacts are what a backup has to know of its master.
type BackupFacts struct {
	Cluster string            `json:"brokerClusterName"`
	Broker  string            `json:"brokerName"`
	ID      int64             `json:"brokerId"`
	Role    string            `json:"brokerRole"`
	HAAddr  string            `json:"haAddr"` // host:port that slaves connect to, as they are told
	Version string            `json:"version"`
	Keys    map[string]string `json:"keys"` // of BackupKeys, as they are in force
}

// BackupKeys are the configuration keys that say what the files of a store look like, and how its messages are read: a broker that goes on
// with a copy of it needs them as they were.
func BackupKeys() []string {
	return []string{"mappedFileSizeCommitLog", "mappedFileSizeConsumeQueue", "mapperFileSizeBatchConsumeQueue", "messageIndexEnable", "maxHashSlotNum", "maxIndexNum",
		"maxMessageSize", "messageDelayLevel", "enabledAppendPropCRC"}
}

// backupFacts serves what of 45 is for backups.
func (b *Broker) backupFacts(plain onWorker) onWorker {
	return func(c *netpoll.Conn, req *remoting.Command) answer {
		a := plain(c, req)
		if _, asked := req.Get(peerBackupKey); !asked {
			return a
		}
		f := BackupFacts{Cluster: b.cluster, Broker: b.name, ID: b.c.ID(), Role: string(b.c.Role()), HAAddr: b.haAddr(), Version: b.o.Version, Keys: map[string]string{}}
		for _, k := range BackupKeys() {
			f.Keys[k] = b.c.Text(k)
		}
		text, err := json.Marshal(f)
		if err != nil {
			panic(err) // texts and numbers
		}
		a.Fields = append(a.Fields, answerField{peerBackupKey, string(text)})
		return a
	}
}

// BackupProgress is what has to be taken before the end of the log is: no progress in it lies beyond that end.
type BackupProgress struct {
	Facts   BackupFacts
	Delays  []byte // the document of delayed messages, in either dialect of JSON
	Offsets *meta.OffsetsDoc
}

// AskBackupProgress asks a broker of this kind. An error if it is of another kind, or older.
func AskBackupProgress(ctx context.Context, c *netpoll.Client) (*BackupProgress, error) {
	cmd := remoting.NewRequest(remoting.CodeGetAllDelayOffset)
	cmd.Set(peerBackupKey, "")
	resp, err := askPeer(ctx, c, cmd, nil)
	if err != nil {
		return nil, err
	}
	p := &BackupProgress{Delays: resp.Body}
	text, ok := resp.Get(peerBackupKey)
	if !ok {
		return nil, errors.New("it is no broker of ringmq, or of a release before backups")
	}
	if err := json.Unmarshal(text, &p.Facts); err != nil {
		return nil, fmt.Errorf("what it says of itself cannot be read: %w", err)
	}
	if resp, err = askPeer(ctx, c, remoting.NewRequest(remoting.CodeGetAllConsumerOffset), nil); err != nil {
		return nil, err
	}
	p.Offsets, err = meta.ParseOffsets(resp.Body)
	return p, err
}

// BackupTables is what has to be taken after the end of the log was: every topic that has messages before that end, and was not deleted
// since, is in it.
type BackupTables struct {
	Topics remoting.TopicConfigTable
	Groups remoting.GroupTable
	Modes  []byte           // how clients ask for messages, standard JSON
	Graves map[string]int64 // deleted topics, each with the offset of the log before which its records count no more
}

// AskBackupTables asks a broker of this kind.
//
// It asks for the topics twice: one that is deleted while an answer is made can be missing among its topics and among its graves, and then it
// was among the topics of the answer before.
func AskBackupTables(ctx context.Context, c *netpoll.Client) (*BackupTables, error) {
	before, err := askBackupTopics(ctx, c)
	if err != nil {
		return nil, err
	}
	both, err := askBackupTopics(ctx, c)
	if err != nil {
		return nil, err
	}
	t := &BackupTables{Topics: both.TopicConfigTable, Graves: both.Graves}
	if t.Graves == nil {
		t.Graves = map[string]int64{}
	}
	for name := range before.TopicConfigTable.TopicConfigTable {
		if t.Topics.TopicConfigTable[name] == nil && t.Graves[name] <= before.Graves[name] {
			t.Graves[name] = math.MaxInt64
		}
	}
	resp, err := askPeer(ctx, c, remoting.NewRequest(remoting.CodeGetAllSubscriptiongroupConfig), nil)
	if err != nil {
		return nil, err
	}
	if err := remoting.Unmarshal(resp.Body, &t.Groups); err != nil {
		return nil, fmt.Errorf("its groups cannot be read: %w", err)
	}
	if resp, err = askPeer(ctx, c, remoting.NewRequest(remoting.CodeGetAllMessageRequestMode), nil); err != nil {
		return nil, err
	}
	if t.Modes, err = remoting.StandardJSON(resp.Body); err == nil && !json.Valid(t.Modes) {
		err = errors.New("no JSON")
	}
	if err != nil {
		return nil, fmt.Errorf("its modes of requests cannot be read: %w", err)
	}
	return t, nil
}

func askBackupTopics(ctx context.Context, c *netpoll.Client) (both topicsWithGraves, err error) {
	cmd := remoting.NewRequest(remoting.CodeGetAllTopicConfig)
	cmd.Set(peerGravesKey, "")
	resp, err := askPeer(ctx, c, cmd, nil)
	if err != nil {
		return both, err
	}
	if err := remoting.Unmarshal(resp.Body, &both); err != nil {
		return both, fmt.Errorf("its topics cannot be read: %w", err)
	}
	return both, nil
}

// askPeer asks a broker as one of this kind does. has is the version that the asker has of what it asks for; nil: none.
func askPeer(ctx context.Context, c *netpoll.Client, cmd *remoting.Command, has *remoting.DataVersion) (*remoting.Command, error) {
	text := []byte{}
	var err error
	if has != nil {
		if text, err = json.Marshal(has); err != nil {
			panic(err) // numbers
		}
	}
	cmd.Set(remoting.PeerKey, string(text))
	cmd.Set(remoting.PeerZipKey, remoting.PeerZlib)
	resp, err := c.Call(ctx, cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", remoting.CodeName(cmd.Code), err)
	}
	if resp.Code != remoting.RespSuccess {
		return nil, fmt.Errorf("%s: code %d: %s", remoting.CodeName(cmd.Code), resp.Code, resp.Remark)
	}
	if resp.Body, err = remoting.PeerBody(resp); err != nil {
		return nil, fmt.Errorf("%s: %w", remoting.CodeName(cmd.Code), err)
	}
	return resp, nil
}
