package backup

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"ringmq/broker/meta"
	"ringmq/store"
)

// tables sees to it that the documents beside the log can be read, are those that the manifest speaks of, and that no progress lies beyond its queue.
func (v *look) tables() error {
	sums, err := documentSums(v.dir)
	if err != nil {
		return err
	}
	for _, name := range documents {
		want, ok := v.m.Files[name]
		if ok && v.m.Complete() && sums[name] != want {
			v.r.bad("config/%s is damaged, missing or of another time: its checksum is not the manifest's", name)
		}
		b, err := readSmall(filepath.Join(v.dir, "config", name), maxDocumentBytes)
		if errors.Is(err, fs.ErrNotExist) && !ok {
			continue
		}
		if err == nil {
			err = v.document(name, b)
		}
		if err != nil {
			v.r.bad("config/%s cannot be read: %v", name, err)
		}
	}
	return nil
}

func (v *look) document(name string, b []byte) error {
	switch name {
	case "topics.json":
		_, err := meta.NewTopics(b, time.Now, func() {})
		return err
	case "subscriptionGroup.json":
		_, err := meta.NewGroups(b, time.Now, func() bool { return false }, func(int64) bool { return true }, func() {})
		return err
	case "consumerOffset.json":
		t, err := meta.ParseOffsets(b)
		if err == nil && v.queues != nil {
			beyond(t, v.queues.end, func(queues map[int32]int64, key string, queue int32, high int64) {
				v.r.bad("progress of %s in queue %d is %d, behind its end at %d", key, queue, queues[queue], high)
			})
		}
		return err
	case "delayOffset.json":
		_, err := parseDelays(b)
		return err
	}
	if !json.Valid(b) {
		return errors.New("it is no JSON")
	}
	return nil
}

// end is the queue offset behind the last entry of a queue.
func (q *queueLook) end(topic string, queue int32) int64 { return q.high[queueKey{topic, queue}] }

// readGraves reads which topics were deleted, and where the log was then: their records before that have no entries.
func (v *look) readGraves() {
	b, err := readSmall(filepath.Join(v.dir, "ringmq", "deleted.json"), maxManifestBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		v.graves, err = store.ParseGraves(b)
	}
	if err != nil {
		v.r.bad("ringmq/deleted.json cannot be read: %v", err)
	}
}
