package broker

import (
	"ringmq/netpoll/remoting"
)

// adminTable lists the requests of operators that run on workers; settledTable has the others.
func (b *Broker) adminTable() map[int32]onWorker {
	t := map[int32]onWorker{
		remoting.CodeGetAllTopicConfig:                    b.copiedTopics,
		remoting.CodeGetTopicConfig:                       b.oneTopic,
		remoting.CodeGetSystemTopicListFromBroker:         b.systemTopics,
		remoting.CodeGetTopicStatsInfo:                    b.topicStats,
		remoting.CodeGetAllConsumerOffset:                 forPeer(b.allConsumerOffsets, b.offsets.Unchanged),
		remoting.CodeGetAllDelayOffset:                    b.backupFacts(forPeer(b.allDelayOffsets, func(remoting.DataVersion) bool { return false })),
		remoting.CodeUpdateAndCreateSubscriptiongroup:     b.updateGroup,
		remoting.CodeUpdateAndCreateSubscriptiongroupList: b.updateGroups,
		remoting.CodeDeleteSubscriptiongroup:              b.deleteGroup,
		remoting.CodeGetAllSubscriptiongroupConfig:        forPeer(b.allGroups, func(v remoting.DataVersion) bool { return v == b.groups.Version() }),
		remoting.CodeGetSubscriptiongroupConfig:           b.oneGroup,
		remoting.CodeGetConsumerConnectionList:            b.consumerConnection,
		remoting.CodeGetProducerConnectionList:            b.producerConnection,
		remoting.CodeGetAllProducerInfo:                   b.allProducers,
		remoting.CodeQueryTopicConsumeByWho:               b.topicConsumers,
		remoting.CodeQueryTopicsByConsumer:                b.topicsOfGroup,
		remoting.CodeQuerySubscriptionByConsumer:          b.subscriptionOfGroup,
		remoting.CodeGetConsumeStats:                      b.consumeStats,
		remoting.CodeInvokeBrokerToResetOffset:            b.resetOffset,
		remoting.CodeUpdateBrokerConfig:                   b.updateConfig,
		remoting.CodeGetBrokerConfig:                      b.getConfig,
		remoting.CodeGetBrokerRuntimeInfo:                 b.runtimeInfo,
		remoting.CodeViewBrokerStatsData:                  b.statsData,
		remoting.CodeGetBrokerConsumeStats:                b.brokerConsumeStats,
		remoting.CodeQueryConsumeQueue:                    b.consumeQueue,
		remoting.CodeUpdateColdDataFlowCtrConfig:          b.updateColdLimits,
		remoting.CodeRemoveColdDataFlowCtrConfig:          b.removeColdLimit,
		remoting.CodeGetColdDataFlowCtrInfo:               b.coldInfo,
		remoting.CodeSetCommitlogReadMode:                 b.setReadAhead,
	}
	return t
}
