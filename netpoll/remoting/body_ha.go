package remoting

// HARuntimeInfo is the answer to 907.
type HARuntimeInfo struct {
	Client           HAClientInfo       `json:"haClientRuntimeInfo"`
	HAConnectionInfo []HAConnectionInfo `json:"haConnectionInfo"`
	InSyncSlaves     int                `json:"inSyncSlaveNums"`
	Master           bool               `json:"master"`
	MasterMaxOffset  int64              `json:"masterCommitLogMaxOffset"` // 0 on a slave
}

// HAClientInfo is a slave's connection to its master; zero on a master. Times in ms.
type HAClientInfo struct {
	LastReadTimestamp      int64  `json:"lastReadTimestamp"`
	LastWriteTimestamp     int64  `json:"lastWriteTimestamp"`
	MasterAddr             string `json:"masterAddr,omitempty"`
	MasterFlushOffset      int64  `json:"masterFlushOffset"`
	MaxOffset              int64  `json:"maxOffset"`
	TransferredBytesPerSec int64  `json:"transferredByteInSecond"`
}

// HAConnectionInfo is a master's connection to one of its slaves.
type HAConnectionInfo struct {
	Addr                   string `json:"addr"`
	Diff                   int64  `json:"diff"` // bytes that it does not have yet
	InSync                 bool   `json:"inSync"`
	AckOffset              int64  `json:"slaveAckOffset"`
	FromOffset             int64  `json:"transferFromWhere"`
	TransferredBytesPerSec int64  `json:"transferredByteInSecond"`
}

// TimerMetrics is the answer to 61: how many timers wait, by topic.
type TimerMetrics struct {
	DataVersion DataVersion    `json:"dataVersion"`
	TimingCount map[string]any `json:"timingCount"`
}
