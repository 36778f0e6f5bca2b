package meta

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"ringmq/netpoll/remoting"
)

// Names that the protocol gives a meaning.
const (
	AutoCreateTopic = "TBW102"
	SelfTestTopic   = "SELF_TEST_TOPIC"
	BenchmarkTopic  = "BenchmarkTest"
	OffsetMoved     = "OFFSET_MOVED_EVENT"
	ScheduleTopic   = "SCHEDULE_TOPIC_XXXX"
	TraceTopic      = "RMQ_SYS_TRACE_TOPIC"
	HalfTopic       = "RMQ_SYS_TRANS_HALF_TOPIC"
	OpHalfTopic     = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
	CheckMaxTopic   = "TRANS_CHECK_MAX_TIME_TOPIC"
	WheelTimerTopic = "rmq_sys_wheel_timer"
	checkpointTopic = "CHECKPOINT_TOPIC"

	RetryPrefix = "%RETRY%"
	DLQPrefix   = "%DLQ%"
)

// System says which topics a broker of a given name has from the start.
type System struct {
	Cluster, Broker string
	AutoCreate      bool
	AutoQueues      int32 // defaultTopicQueueNums
	ClusterTopic    bool
	BrokerTopic     bool
	Trace           bool
	TraceName       string
	ScheduleLevels  int32
	ReviveQueues    int32 // reviveQueueNum; 0: 8
}

const permAll = remoting.PermRead | remoting.PermWrite | remoting.PermInherit

// Topics returns the topics that must exist.
func (s System) Topics() []remoting.TopicConfig {
	const rw = remoting.PermRead | remoting.PermWrite
	config := remoting.NewTopicConfig
	revive := s.ReviveQueues
	if revive == 0 {
		revive = 8
	}
	all := []remoting.TopicConfig{
		config(SelfTestTopic, 1, rw), config(BenchmarkTopic, 1024, rw), config(OffsetMoved, 1, rw), config(ScheduleTopic, s.ScheduleLevels, rw),
		config(s.Cluster+"_REPLY_TOPIC", 1, rw), config("rmq_sys_REVIVE_LOG_"+s.Cluster, revive, rw),
		config("rmq_sys_SYNC_BROKER_MEMBER_"+s.Broker, 1, remoting.PermInherit), config(HalfTopic, 1, rw), config(OpHalfTopic, 1, rw),
		config(WheelTimerTopic, 1, rw),
	}
	if s.AutoCreate {
		all = append(all, config(AutoCreateTopic, s.AutoQueues, permAll))
	}
	cluster, broker := config(s.Cluster, 16, remoting.PermInherit), config(s.Broker, 1, remoting.PermInherit)
	if s.ClusterTopic {
		cluster.Perm |= rw
	}
	if s.BrokerTopic {
		broker.Perm |= rw
	}
	all = append(all, cluster, broker)
	if s.Trace {
		all = append(all, config(s.TraceName, 1, rw))
	}
	return all
}

// Names lists the system's topics, those that exist and those that are only reserved, in order; the body of 305.
func (s System) Names() []string {
	names := slices.Collect(maps.Keys(systemTopics))
	for _, t := range s.Topics() {
		names = append(names, t.TopicName)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Has says that a topic is the system's, as IsSystemTopic does, or one of those named after this broker and its cluster.
func (s System) Has(name string) bool {
	return IsSystemTopic(name) || name == s.Cluster || name == s.Broker || name == s.Cluster+"_REPLY_TOPIC" || s.Trace && name == s.TraceName
}

var systemTopics = map[string]bool{
	AutoCreateTopic: true, ScheduleTopic: true, BenchmarkTopic: true, HalfTopic: true, OpHalfTopic: true, TraceTopic: true,
	CheckMaxTopic: true, SelfTestTopic: true, OffsetMoved: true, checkpointTopic: true,
}

// IsSystemTopic says that a topic is not the users' to create or delete.
func IsSystemTopic(name string) bool {
	return systemTopics[name] || strings.HasPrefix(name, "rmq_sys_")
}

// notForSend are the topics that a client may not send to.
var notForSend = map[string]bool{ScheduleTopic: true, HalfTopic: true, OpHalfTopic: true, CheckMaxTopic: true, SelfTestTopic: true, OffsetMoved: true}

// IsNotForSend says that sends to the topic are forbidden. A send to the timer's topic would stop a stock timer for good.
func IsNotForSend(name []byte) bool {
	return notForSend[string(name)] || string(name) == WheelTimerTopic
}

var systemGroups = map[string]bool{
	"DEFAULT_CONSUMER": true, "DEFAULT_PRODUCER": true, "TOOLS_CONSUMER": true, "SCHEDULE_CONSUMER": true, "FILTERSRV_CONSUMER": true,
	"__MONITOR_CONSUMER": true, "CLIENT_INNER_PRODUCER": true, "SELF_TEST_P_GROUP": true, "SELF_TEST_C_GROUP": true, "CID_ONS-HTTP-PROXY": true,
	"CID_ONSAPI_PERMISSION": true, "CID_ONSAPI_OWNER": true, "CID_ONSAPI_PULL": true, "CID_RMQ_SYS_TRANS": true,
}

// IsSystemGroup says that a group exists whatever autoCreateSubscriptionGroup says.
func IsSystemGroup(name string) bool {
	return systemGroups[name] || strings.HasPrefix(name, "CID_RMQ_SYS_")
}

// bornGroups are in the table from the start.
var bornGroups = []string{"TOOLS_CONSUMER", "FILTERSRV_CONSUMER", "SELF_TEST_C_GROUP", "CID_ONS-HTTP-PROXY", "CID_ONSAPI_PULL", "CID_ONSAPI_PERMISSION", "CID_ONSAPI_OWNER", "CID_RMQ_SYS_TRANS"}

// IsSystemTopicName is IsSystemTopic for a name as it lies in a request. No allocation.
func IsSystemTopicName(name []byte) bool {
	return systemTopics[string(name)] || bytes.HasPrefix(name, []byte("rmq_sys_"))
}
