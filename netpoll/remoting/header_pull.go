package remoting

// Bits of PullHeader.SysFlag.
const (
	PullCommitOffset int32 = 1
	PullSuspend      int32 = 2
	PullSubscription int32 = 4
	PullClassFilter  int32 = 8
	PullLite         int32 = 16
)

// PullHeader is the typed header of PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361). Its slices alias the command.
type PullHeader struct {
	ConsumerGroup        []byte
	Topic                []byte
	QueueID              int32
	QueueOffset          int64
	MaxMsgNums           int32
	SysFlag              int32
	CommitOffset         int64
	SuspendTimeoutMillis int64
	Subscription         []byte
	SubVersion           int64
	ExpressionType       []byte // absent means TAG
	RequestSource        int32  // -1: an ordinary client
}

// mandatoryPull are the fields that the reference broker cannot do without: it looks at the others when a flag or a subscription asks
// for them, and only logs that they are absent.
var mandatoryPull = [...]string{"consumerGroup", "topic", "queueId", "queueOffset", "maxMsgNums", "sysFlag"}

// commitBit stands for commitOffset, which PullCommitOffset makes mandatory.
const commitBit = 1 << len(mandatoryPull)

// Decode reads the header. It allocates only to report an error.
func (h *PullHeader) Decode(c *Command) error {
	*h = PullHeader{RequestSource: -1}
	var seen uint32
	for i := range c.Ext {
		if c.null(&c.Ext[i]) {
			continue
		}
		bit, err := h.field(&c.Ext[i])
		if err != nil {
			return err
		}
		seen |= bit
	}
	for i, name := range mandatoryPull {
		if seen&(1<<i) == 0 {
			return &MissingError{Key: name}
		}
	}
	if h.SysFlag&PullCommitOffset != 0 && seen&commitBit == 0 {
		return &MissingError{Key: "commitOffset"}
	}
	return nil
}

// field takes one field and returns its bit in the order of mandatoryPull, 0 for an optional one.
func (h *PullHeader) field(f *Field) (bit uint32, err error) {
	switch string(f.Key) {
	case "consumerGroup":
		h.ConsumerGroup, bit = f.Value, 1<<0
	case "topic":
		h.Topic, bit = f.Value, 1<<1
	case "queueId":
		bit = 1 << 2
		h.QueueID, err = fieldInt32(f)
	case "queueOffset":
		bit = 1 << 3
		h.QueueOffset, err = fieldInt64(f)
	case "maxMsgNums":
		bit = 1 << 4
		h.MaxMsgNums, err = fieldInt32(f)
	case "sysFlag":
		bit = 1 << 5
		h.SysFlag, err = fieldInt32(f)
	case "commitOffset":
		bit = commitBit
		h.CommitOffset, err = fieldInt64(f)
	case "suspendTimeoutMillis":
		h.SuspendTimeoutMillis, err = fieldInt64(f)
	case "subVersion":
		h.SubVersion, err = fieldInt64(f)
	case "subscription":
		h.Subscription = f.Value
	case "expressionType":
		h.ExpressionType = f.Value
	case "requestSource":
		h.RequestSource, err = fieldInt32(f)
	}
	return bit, err
}
