package delay

import (
	"strconv"

	"ringmq/store"
	"ringmq/store/record"
)

const (
	realTopic = record.PropertyRealTopic
	realQueue = record.PropertyRealQueue
)

// Level is the delay level that a message asks for by the value of its DELAY property, capped at maxLevel; 0 when it asks for
// none.
func Level(value []byte, maxLevel int) int {
	if len(value) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(value), 10, 32)
	if err != nil {
		return 0
	}
	return max(0, min(int(n), maxLevel))
}

// Transform turns a message that asks for a delay level (1 to maxLevel, see Level) into the one that waits: topic
// SCHEDULE_TOPIC_XXXX, queue level-1, with REAL_TOPIC and REAL_QID, and without a timer's properties, because a level
// wins over a timer. The new properties string is appended to scratch, which is returned and must live until the message
// has been stored. DELAY keeps what the producer wrote unless that is above maxLevel.
func Transform(m *store.Message, level int, scratch []byte) []byte {
	begin := len(scratch)
	drop := []string{realTopic, realQueue, "TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS"}
	asked, _ := record.Property(m.Properties, record.PropertyDelay)
	capped := string(asked) != strconv.Itoa(level)
	if capped {
		drop = append(drop, record.PropertyDelay)
	}
	scratch = record.DeleteProperty(scratch, m.Properties, drop...)
	if !record.ClosedProperties(scratch[begin:]) {
		scratch = append(scratch, 2)
	}
	if capped {
		scratch = record.AppendProperty(scratch, record.PropertyDelay, strconv.Itoa(level))
	}
	scratch = record.AppendPropertyBytes(scratch, realTopic, m.Topic)
	scratch = record.AppendProperty(scratch, realQueue, strconv.Itoa(int(m.QueueID)))
	m.Topic, m.QueueID, m.Properties = []byte(store.DelayTopic), int32(level-1), scratch[begin:]
	return scratch
}

// restore is the message that is due: the one that waited, in its real topic and queue. Its properties stay as they are
// (DELAY, REAL_TOPIC and REAL_QID included), as consumers of a stock broker see them. ok is false when it does not say
// where it belongs. scratch is used when a property has to go.
func restore(r *record.Record, m *store.Message, scratch []byte) (_ []byte, ok bool) {
	topic, ok := record.Property(r.Properties, realTopic)
	if !ok {
		return scratch, false
	}
	id, _ := record.Property(r.Properties, realQueue)
	queueID, err := strconv.ParseInt(string(id), 10, 32)
	if err != nil || queueID < 0 {
		return scratch, false
	}
	properties := r.Properties
	if _, sealed := record.Property(properties, record.PropertyCRC); sealed {
		scratch = record.DeleteProperty(scratch[:0], properties, record.PropertyCRC)
		properties = scratch
	}
	*m = store.Message{
		Topic: topic, QueueID: int32(queueID), Flag: r.Flag, SysFlag: r.SysFlag &^ (record.SysFlagInnerBatch | record.SysFlagNeedUnwrap),
		BornTimestamp: r.BornTimestamp, BornHost: r.BornHost, StoreHost: r.StoreHost, ReconsumeTimes: r.ReconsumeTimes,
		Body: r.Body, Properties: properties, Again: true,
	}
	return scratch, true
}
