package store

import "net/netip"

// DelayTopic is the topic in which messages wait for their delay level: level n waits in queue n-1, and the tags code
// of its queue entries is the time at which they are due.
const DelayTopic = "SCHEDULE_TOPIC_XXXX"

// Message is what Append stores. Its slices are borrowed until Append returns.
type Message struct {
	Topic                     []byte
	QueueID                   int32
	Flag                      int32 // the producer's own, opaque
	SysFlag                   int32 // as in the record; the bits for IPv6 hosts are set by the store
	BornTimestamp             int64 // ms
	BornHost                  netip.AddrPort
	StoreHost                 netip.AddrPort // not valid: Options.StoreHost
	ReconsumeTimes            int32
	PreparedTransactionOffset int64
	Body                      []byte
	Properties                []byte // RocketMQ properties string: name 0x01 value 0x02 ...

	// Again says that the message lies in the log already and is stored anew, delivered or given back. It was taken once: MaxMessageBytes, which
	// may have become smaller since, does not count, only what the log can hold.
	Again bool
}

// Placed says where a message was stored. It is safe, and may be answered, once Visible has reached End.
type Placed struct {
	PhysicalOffset int64 // offset of the record in the commit log
	End            int64 // offset behind the record; for every item of a batch: behind the batch
	QueueOffset    int64
	StoreTimestamp int64 // ms
	Size           int32 // of the record
}

// Status is the outcome of a read.
type Status uint8

const (
	StatusFound               Status = iota // at least one record
	StatusNoMatchedMessage                  // entries were there, none wanted
	StatusMessageWasRemoving                // entries were there, their records are gone
	StatusOffsetFoundNull                   // no queue file holds this offset
	StatusOffsetOverflowOne                 // the offset is the queue's maximum: nothing yet
	StatusOffsetOverflowBadly               // beyond the maximum
	StatusOffsetTooSmall                    // before the minimum
	StatusNoMatchedLogicQueue               // no such queue
	StatusNoMessageInQueue                  // the queue has never had an entry
	StatusGap                               // the record at the offset is damaged, and a copy may have it: see Found.Gap
)

func (s Status) String() string {
	names := [...]string{"FOUND", "NO_MATCHED_MESSAGE", "MESSAGE_WAS_REMOVING", "OFFSET_FOUND_NULL", "OFFSET_OVERFLOW_ONE",
		"OFFSET_OVERFLOW_BADLY", "OFFSET_TOO_SMALL", "NO_MATCHED_LOGIC_QUEUE", "NO_MESSAGE_IN_QUEUE",
		"OFFSET_FOUND_NULL"} // the last as well: clients know stock's only
	if int(s) < len(names) {
		return names[s]
	}
	return "UNKNOWN"
}

// Want is a read: up to MaxMessages records of one queue from Offset on.
type Want struct {
	Topic       []byte
	QueueID     int32
	Offset      int64
	MaxMessages int  // the first matching message is returned whatever this says
	MaxBytes    int  // 0: only the limits of the store
	Anything    bool // leave out the count and byte limits of Limits (MaxMessages and MaxBytes alone decide)
	// Warm is how many bytes ReadHot may still take from the page cache in this turn of its loop, or check; it counts them down. nil:
	// none. What it does with them takes the processor about 0.1 us a KiB.
	Warm *int
	// Match decides by the tags code of the queue entry; nil takes all.
	Match func(tagsCode int64) bool
	// MatchProperties decides by the record's properties string, valid during the call; nil takes all.
	MatchProperties func(properties []byte) bool
}

// Found is the outcome of a read. Offsets are queue offsets unless named otherwise.
type Found struct {
	Status       Status
	NextOffset   int64 // where to read next: behind the last entry looked at, or the offset corrected to Min or Max
	Min, Max     int64 // of the queue at the time of the read
	Messages     int
	Bytes        int
	Looked       bool  // at an entry with a record, wanted or not
	LastPhysical int64 // physical offset of the last record looked at
	Gap          int64 // with StatusGap: where in the log it begins; Store.Awaited says until when that stands
	ColdBytes    int64 // that were not in the page cache, and were read from the disk for this
	Cold         bool  // ReadHot: what comes next is not in memory
	SuggestSlave bool  // the records are so far behind the end of the log that they are probably not in memory: stock's estimate

	// NotResident: a part of what was asked for was in no memory when it was looked for; ReadHot may have left it out. Where the kernel
	// does not tell it is SuggestSlave.
	NotResident bool
	Newest      bool // the last record looked at is among the newest, which a store keeps whatever the page cache does
}

// Arrival tells a listener about one visible queue entry.
type Arrival struct {
	Topic          string
	QueueID        int32
	QueueOffset    int64 // of the entry; the queue's maximum is one more (or BatchNum more)
	BatchNum       int32 // messages in the entry: 1, more for an inner batch
	TagsCode       int64
	PhysicalOffset int64
	Size           int32
	StoreTimestamp int64  // ms
	Properties     []byte // valid until the listener returns
}
