package quota

// Kind is something that clients use.
type Kind uint8

const (
	SendMessages Kind = iota // messages stored
	SendBytes                // their bytes as stored
	PullBytes                // bytes handed out
	Kinds
)

// Key is the configuration key of a kind's limit.
func (k Kind) Key() string {
	return [Kinds]string{"clientSendMaxMessagesPerSecond", "clientSendMaxBytesPerSecond", "clientPullMaxBytesPerSecond"}[k]
}

// String is the kind's name in metrics.
func (k Kind) String() string { return [Kinds]string{"send_messages", "send_bytes", "pull_bytes"}[k] }

// Counts are amounts by kind.
type Counts [Kinds]int64

// Limits are what one client may use in a second.
type Limits struct {
	PerSecond Counts // 0: as much as it likes
	Enforced  bool   // whoever uses more is slowed; otherwise it is only said
}

// SlowsSends says that sends may have to wait.
func (l *Limits) SlowsSends() bool {
	return l.Enforced && (l.PerSecond[SendMessages] > 0 || l.PerSecond[SendBytes] > 0)
}

// SlowsPulls says that pulls may have to wait.
func (l *Limits) SlowsPulls() bool { return l.Enforced && l.PerSecond[PullBytes] > 0 }
