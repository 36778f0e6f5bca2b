package remoting

// SubscriptionGroupConfig is one consumer group as stored in subscriptionGroup.json and answered by 352.
type SubscriptionGroupConfig struct {
	Attributes                     map[string]string    `json:"attributes"`
	BrokerID                       int64                `json:"brokerId"`
	ConsumeBroadcastEnable         bool                 `json:"consumeBroadcastEnable"`
	ConsumeEnable                  bool                 `json:"consumeEnable"`
	ConsumeFromMinEnable           bool                 `json:"consumeFromMinEnable"`
	ConsumeMessageOrderly          bool                 `json:"consumeMessageOrderly"`
	ConsumeTimeoutMinute           int32                `json:"consumeTimeoutMinute"`
	GroupName                      string               `json:"groupName"`
	GroupRetryPolicy               map[string]any       `json:"groupRetryPolicy"`
	GroupSysFlag                   int32                `json:"groupSysFlag"`
	NotifyConsumerIdsChangedEnable bool                 `json:"notifyConsumerIdsChangedEnable"`
	RetryMaxTimes                  int32                `json:"retryMaxTimes"`
	RetryQueueNums                 int32                `json:"retryQueueNums"`
	SubscriptionDataSet            []SimpleSubscription `json:"subscriptionDataSet,omitempty"`
	WhichBrokerWhenConsumeSlowly   int64                `json:"whichBrokerWhenConsumeSlowly"`
}

// SimpleSubscription is a subscription fixed in a group's configuration.
type SimpleSubscription struct {
	Expression     string `json:"expression"`
	ExpressionType string `json:"expressionType"`
	Topic          string `json:"topic"`
	Version        int64  `json:"version"`
}

// NewSubscriptionGroupConfig returns a group with stock's defaults.
func NewSubscriptionGroupConfig(name string) SubscriptionGroupConfig {
	return SubscriptionGroupConfig{
		Attributes: map[string]string{}, ConsumeBroadcastEnable: true, ConsumeEnable: true, ConsumeFromMinEnable: true,
		ConsumeTimeoutMinute: 15, GroupName: name, GroupRetryPolicy: map[string]any{"type": "CUSTOMIZED"},
		NotifyConsumerIdsChangedEnable: true, RetryMaxTimes: 16, RetryQueueNums: 1, WhichBrokerWhenConsumeSlowly: 1,
	}
}

// GroupTable is the body of 201 and the content of subscriptionGroup.json.
type GroupTable struct {
	DataVersion            DataVersion                         `json:"dataVersion"`
	ForbiddenTable         map[string]map[string]int32         `json:"forbiddenTable"`
	SubscriptionGroupTable map[string]*SubscriptionGroupConfig `json:"subscriptionGroupTable"`
}

// GroupConfigList is the request body of 225.
type GroupConfigList struct {
	GroupConfigList []SubscriptionGroupConfig `json:"groupConfigList"`
}

// GroupList is the body of 300.
type GroupList struct {
	GroupList []string `json:"groupList"`
}

// SubscriptionData is one topic's subscription as clients send it in heartbeats.
type SubscriptionData struct {
	ClassFilterMode bool     `json:"classFilterMode"`
	CodeSet         CodeSet  `json:"codeSet"`
	ExpressionType  string   `json:"expressionType"`
	SubString       string   `json:"subString"`
	SubVersion      int64    `json:"subVersion"`
	TagsSet         []string `json:"tagsSet"`
	Topic           string   `json:"topic"`
}

// SubscriptionOfGroup is the body of 345.
type SubscriptionOfGroup struct {
	Group            string            `json:"group"`
	SubscriptionData *SubscriptionData `json:"subscriptionData,omitempty"`
	Topic            string            `json:"topic"`
}

// ConsumerData is one consumer group of a client.
type ConsumerData struct {
	ConsumeFromWhere    string             `json:"consumeFromWhere"`
	ConsumeType         string             `json:"consumeType"`
	GroupName           string             `json:"groupName"`
	MessageModel        string             `json:"messageModel"`
	SubscriptionDataSet []SubscriptionData `json:"subscriptionDataSet"`
	UnitMode            bool               `json:"unitMode"`
}

// ProducerData is one producer group of a client.
type ProducerData struct {
	GroupName string `json:"groupName"`
}

// HeartbeatData is the request body of 34. Clients of other languages leave members out.
type HeartbeatData struct {
	ClientID             string         `json:"clientID"`
	ConsumerDataSet      []ConsumerData `json:"consumerDataSet"`
	HeartbeatFingerprint int32          `json:"heartbeatFingerprint"`
	ProducerDataSet      []ProducerData `json:"producerDataSet"`
	WithoutSub           bool           `json:"withoutSub"`
}

// ConsumerIDList is the body of 38.
type ConsumerIDList struct {
	ConsumerIDList []string `json:"consumerIdList"`
}

// ClientConfigCheck is the request body of 46.
type ClientConfigCheck struct {
	ClientID         string           `json:"clientId"`
	Group            string           `json:"group"`
	SubscriptionData SubscriptionData `json:"subscriptionData"`
}

// LockBatch is the request body of 41 and 42.
type LockBatch struct {
	ClientID       string         `json:"clientId"`
	ConsumerGroup  string         `json:"consumerGroup"`
	MqSet          []MessageQueue `json:"mqSet"`
	OnlyThisBroker bool           `json:"onlyThisBroker"`
}

// LockBatchOK is the answer body of 41.
type LockBatchOK struct {
	LockOKMQSet []MessageQueue `json:"lockOKMQSet"`
}

// Connection is one client of a group.
type Connection struct {
	ClientAddr string `json:"clientAddr"`
	ClientID   string `json:"clientId"`
	Language   string `json:"language"`
	Version    int32  `json:"version"`
}

// ConsumerConnection is the body of 203.
type ConsumerConnection struct {
	ConnectionSet     []Connection                `json:"connectionSet"`
	ConsumeFromWhere  string                      `json:"consumeFromWhere"`
	ConsumeType       string                      `json:"consumeType"`
	MessageModel      string                      `json:"messageModel"`
	SubscriptionTable map[string]SubscriptionData `json:"subscriptionTable"`
}

// ProducerConnection is the body of 204.
type ProducerConnection struct {
	ConnectionSet []Connection `json:"connectionSet"`
}

// ProducerInfo is one producer in the body of 328.
type ProducerInfo struct {
	ClientID            string `json:"clientId"`
	Language            string `json:"language"`
	LastUpdateTimestamp int64  `json:"lastUpdateTimestamp"`
	RemoteIP            string `json:"remoteIP"`
	Version             int32  `json:"version"`
}

// ProducerTable is the body of 328.
type ProducerTable struct {
	Data map[string][]ProducerInfo `json:"data"`
}
