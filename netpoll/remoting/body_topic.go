package remoting

// DataVersion orders two states of a table: a change sets Timestamp (ms) and raises Counter.
type DataVersion struct {
	Counter      int64 `json:"counter"`
	StateVersion int64 `json:"stateVersion"`
	Timestamp    int64 `json:"timestamp"`
}

// Permission bits of a topic or a broker.
const (
	PermInherit  int32 = 1
	PermWrite    int32 = 2
	PermRead     int32 = 4
	PermPriority int32 = 8
)

// TopicConfig is one topic as stored in topics.json, registered at the name server and answered by 351.
type TopicConfig struct {
	Attributes      map[string]string `json:"attributes"`
	Order           bool              `json:"order"`
	Perm            int32             `json:"perm"`
	ReadQueueNums   int32             `json:"readQueueNums"`
	TopicFilterType string            `json:"topicFilterType"`
	TopicName       string            `json:"topicName"`
	TopicSysFlag    int32             `json:"topicSysFlag"`
	WriteQueueNums  int32             `json:"writeQueueNums"`
}

// NewTopicConfig returns a readable and writable topic with the given number of queues for both.
func NewTopicConfig(name string, queues, perm int32) TopicConfig {
	return TopicConfig{Attributes: map[string]string{}, Perm: perm, ReadQueueNums: queues, WriteQueueNums: queues, TopicFilterType: "SINGLE_TAG", TopicName: name}
}

// TopicConfigTable is the body of 21 and, inside RegisterBrokerBody, of a registration.
type TopicConfigTable struct {
	DataVersion                DataVersion             `json:"dataVersion"`
	MappingDataVersion         DataVersion             `json:"mappingDataVersion"`
	TopicConfigTable           map[string]*TopicConfig `json:"topicConfigTable"`
	TopicQueueMappingDetailMap map[string]any          `json:"topicQueueMappingDetailMap"`
	TopicQueueMappingInfoMap   map[string]any          `json:"topicQueueMappingInfoMap"`
}

// TopicConfigList is the request body of 18.
type TopicConfigList struct {
	TopicConfigList []TopicConfig `json:"topicConfigList"`
}

// TopicList is the body of 206, 224, 304, 305, 311 to 313 and 343.
type TopicList struct {
	BrokerAddr string   `json:"brokerAddr,omitempty"`
	TopicList  []string `json:"topicList"`
}

// KVTable is the body of 28, 219 and of the answer to a registration.
type KVTable struct {
	Table map[string]string `json:"table"`
}

// MessageQueue names one queue of one broker.
type MessageQueue struct {
	BrokerName string `json:"brokerName"`
	QueueID    int32  `json:"queueId"`
	Topic      string `json:"topic"`
}
