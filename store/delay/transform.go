package delay

import (
	"ringmq/store"
	"ringmq/store/record"
)

// Level is the delay level a properties string asks for, capped at maxLevel; 0 when it asks for none.
func Level(properties []byte, maxLevel int) int {
	v, ok := record.Property(properties, "DELAY")
	if !ok {
		return 0
	}
	n := parseLevel(v)
	if n > maxLevel {
		return maxLevel
	}
	return max(n, 0)
}

// Transform turns a message that asks for a delay level into the one that waits: topic SCHEDULE_TOPIC_XXXX, queue
// level-1, with REAL_TOPIC and REAL_QID, and without a timer's properties (a level wins over a timer). The new
// properties string is appended to scratch, which is returned and must live until the message has been stored.
// DELAY itself keeps what the producer wrote unless it is above maxLevel.
func Transform(m *store.Message, level, maxLevel int, scratch []byte) []byte { panic("not built") }
