package lag

import "fmt"

// Returns are the messages of a topic in the last minute: those that a group gave back, each as often as it did, and those that it was handed out.
type Returns struct{ Back, Out int64 }

// Failing says that half or more came back.
func (r Returns) Failing() bool { return r.Back > 0 && 2*r.Back >= r.Out }

// String is what shows it.
func (r Returns) String() string {
	return fmt.Sprintf("%d messages were given back in the last minute, %d were handed out", r.Back, r.Out)
}

// Cold is how many bytes were read from the disk in a period of the control of cold reads, which is five seconds, by a group and by all together, and
// from how many on they have to wait for the next one.
type Cold struct{ Read, Limit, AllRead, AllLimit int64 }

// Held says that the group has to wait.
func (c Cold) Held() bool { return c.Read >= c.Limit || c.AllRead >= c.AllLimit }

// String is what shows it.
func (c Cold) String() string {
	if c.Read >= c.Limit {
		return fmt.Sprintf("the group may read %d bytes in five seconds that are not in memory, and has read %d (updateColdDataFlowCtrGroupConfig raises it)", c.Limit, c.Read)
	}
	return fmt.Sprintf("all groups together may read %d bytes in five seconds that are not in memory, and have read %d (globalColdReadThreshold raises it)", c.AllLimit, c.AllRead)
}
