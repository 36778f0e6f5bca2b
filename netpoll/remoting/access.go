package remoting

// openCodes are the requests that producers, consumers, proxies, brokers and name servers send each other all the time: whoever reaches
// the port may. All the others are an administrator's.
var openCodes = map[int32]bool{
	// Clients and proxies at a broker.
	CodeSendMessage: true, CodeSendMessageV2: true, CodeSendBatchMessage: true, CodeSendReplyMessage: true, CodeSendReplyMessageV2: true,
	CodePullMessage: true, CodeLitePullMessage: true, CodeQueryMessage: true, CodeViewMessageById: true,
	CodeQueryConsumerOffset: true, CodeUpdateConsumerOffset: true, CodeSearchOffsetByTimestamp: true, CodeGetMaxOffset: true, CodeGetMinOffset: true,
	CodeGetEarliestMsgStoretime: true, CodeHeartBeat: true, CodeUnregisterClient: true, CodeCheckClientConfig: true, CodeGetConsumerListByGroup: true,
	CodeConsumerSendMsgBack: true, CodeEndTransaction: true, CodeLockBatchMq: true, CodeUnlockBatchMq: true, CodeRecallMessage: true,
	CodeQueryAssignment: true, CodeGetTopicConfig: true, CodeGetSubscriptiongroupConfig: true,
	CodePopMessage: true, CodeAckMessage: true, CodeBatchAckMessage: true, CodePeekMessage: true, CodeChangeMessageInvisibletime: true, CodeNotification: true,
	CodePollingInfo: true, CodePopRollback: true,
	// A slave at its master, and a name server at a broker.
	CodeGetAllTopicConfig: true, CodeGetAllConsumerOffset: true, CodeGetAllDelayOffset: true, CodeGetAllSubscriptiongroupConfig: true,
	CodeGetAllMessageRequestMode: true, CodeGetTimerCheckPoint: true, CodeGetTimerMetrics: true, CodeExchangeBrokerHaInfo: true, CodeNotifyMinBrokerIdChange: true,
	// Clients and brokers at a name server.
	CodeGetRouteinfoByTopic: true, CodeGetBrokerClusterInfo: true, CodeGetKvConfig: true,
	CodeRegisterBroker: true, CodeUnregisterBroker: true, CodeBrokerHeartbeat: true, CodeQueryDataVersion: true, CodeGetBrokerMemberGroup: true,
}

// IsBrokers says whether a request changes what a name server knows of a broker, or keeps it there: only brokers ask it.
func IsBrokers(code int32) bool {
	return code == CodeRegisterBroker || code == CodeUnregisterBroker || code == CodeBrokerHeartbeat || code == CodeQueryDataVersion
}

// IsAdmin says whether a request is an administrator's. Codes that mean nothing are nobody's.
func IsAdmin(code int32) bool {
	_, named := codeNames[code]
	return named && !openCodes[code]
}
