package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reason is why some keys can, or cannot, be set by a request of whoever may administrate.
type reason struct{ why, keys string }

// shut are the keys of the table that no request may set.
var shut = []reason{
	{"where the process listens: the next start would be deaf on the operator's port", "bindAddress listenPort haListenPort adminHttpAddress metricsPromExporterHost metricsPromExporterPort metricsExporterType"},
	{"to where it connects, and as whom: only who starts the broker says where what it knows goes to", "metricsGrpcExporterTarget metricsGrpcExporterHeader lagAlarmWebhook socksProxyConfig"},
	{"a path: the next start would read and write elsewhere", "storePathRootDir storePathCommitLog storePathBrokerIdentity storePathDLedgerCommitLog storePathEpochFile readOnlyCommitLogStorePaths brokerConfigPath rocketmqHome authConfigPath"},
	{"the form of the files in the store: the next start would refuse them, or misread them", "storeType mappedFileSizeCommitLog mappedFileSizeConsumeQueue mapperFileSizeBatchConsumeQueue maxHashSlotNum maxIndexNum"},
	{"what a request may do, and who may ask", "adminAllowedCidrs haAllowedCidrs configBlackList authenticationWhitelist authorizationWhitelist initAuthenticationUser innerClientAuthenticationCredentials"},
	{"names of classes, which a stock broker that is given this file loads and starts", "messageStorePlugIn authenticationProvider authenticationMetadataProvider authenticationStrategy authorizationProvider authorizationMetadataProvider authorizationStrategy"},
}

// open are those that a request may set, of all that are texts or have a meaning here.
var open = []reason{
	{"what clients and other servers are told of this one, checked as at a start: no file's name is made of it, and nothing is listened on", "brokerClusterName brokerName brokerId brokerRole brokerIP1 brokerIP2 regionId metricsLabel brokerPermission"},
	{"where servers are that this one registers at or copies, which administrators change while it runs", "namesrvAddr haMasterAddress"},
	{"refused with any value but the one in force, by a request as at a start", "aclEnable authenticationEnabled authorizationEnabled enableControllerMode enableDLegerCommitLog configManagerVersion"},
	{"a text that nothing here reads, and no path, address or class for stock", "bottomMostCompressionTypeForConsumeQueueStore clusterName combineAssignOffsetCQType combineCQLoadingCQTypes combineCQPreferCQType configName defaultMessageRequestMode preferredLeaderId rocksdbCompressionType"},
	{"addresses and names of a controller or of Raft, which are not built, and for stock without meaning while that is off, which a request cannot change", "controllerAddr dLegerGroup dLegerPeers dLegerSelfId"},
	{"topics and groups: made by themselves, with how many queues, and what may be asked of them", "autoCreateTopicEnable autoCreateSubscriptionGroup brokerTopicEnable clusterTopicEnable traceTopicEnable msgTraceTopicName defaultTopicQueueNums enableMixedMessageType"},
	{"how long messages are kept, which administrators change while it runs", "fileReservedTime deleteWhen diskMaxUsedSpaceRatio diskSpaceCleanForciblyRatio diskSpaceWarningLevelRatio cleanFileForciblyEnable cleanResourceInterval deleteCommitLogFilesInterval commitLogMaxBytes"},
	{"how a message is written and how soon; every value makes records that every other can read", "flushDiskType syncFlushTimeout flushIntervalConsumeQueue flushConsumerOffsetInterval enabledAppendPropCRC messageIndexEnable messageDelayLevel diskEngine tailCacheBytes maxMessageSize maxMsgsNumBatch"},
	{"how messages are read and waited for", "accessMessageInMemoryMaxRatio maxTransferBytesOnMessageInDisk maxTransferBytesOnMessageInMemory maxTransferCountOnMessageInDisk maxTransferCountOnMessageInMemory defaultQueryMaxNum longPollingEnable shortPollingTimeMills litePullMessageEnable dataReadAheadEnable slaveReadEnable suggestByResidency notifyConsumerIdsChangedEnable useServerSideResetOffset offsetCheckInSlave"},
	{"cold reads and their limits", "coldDataFlowControlEnable coldDataScanEnable coldCtrStrategyEnable coldReadMinBytesPerSecond cgColdReadThreshold globalColdReadThreshold timerColdDataCheckIntervalMs usePIDColdCtrStrategy"},
	{"limits on clients", "maxConnections maxConnectionsPerHost serverChannelMaxIdleTimeSeconds clientQuotaAction clientSendMaxMessagesPerSecond clientSendMaxBytesPerSecond clientPullMaxBytesPerSecond"},
	{"how slaves are fed and counted", "inSyncReplicas minInSyncReplicas enableAutoInSyncReplicas slaveTimeout haMaxGapNotInSync haHousekeepingInterval haSendHeartbeatInterval haTransferBatchSize haFlowControlEnable maxHaTransferByteInSecond registerNameServerPeriod"},
	{"what is counted, and from when on somebody is told, not where", "enableConnectionMetrics enableLagAndDlqMetrics enableMessageStoreMetrics enableRemotingMetrics enableRequestMetrics enableScheduleMessageStats enableStatsMetrics metricGrpcExporterIntervalInMills metricGrpcExporterTimeOutInMills metricLoggingExporterIntervalInMills metricsInDelta metricsOtelCardinalityLimit metricsTopK slowLogThresholdMs lagAlarmBehindMs lagAlarmClearPercent lagAlarmHoldMs lagAlarmMessages"},
}

// why has the reason of each key. One that stands twice is an error.
func why(t *testing.T, all []reason) map[string]string {
	t.Helper()
	reasons := map[string]string{}
	for _, r := range all {
		for key := range strings.FieldsSeq(r.keys) {
			if reasons[key] != "" || r.why == "" {
				t.Errorf("%s stands twice, or has no reason", key)
			}
			reasons[key] = r.why
		}
	}
	return reasons
}

// TestEveryKeyFromAfar: whether a request may set a key is decided, with a reason, for every key of the table. One that is new and a text, or has a
// meaning here, fails until somebody has thought about it; numbers and switches without a meaning are read by nobody and move nothing.
func TestEveryKeyFromAfar(t *testing.T) {
	c := must(t, "")
	shutWhy, openWhy := why(t, shut), why(t, open)
	source := sources(t)
	here := map[string]bool{}
	for line := range strings.Lines(keys) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		key, text, meant := f[0], f[1] == "text", strings.Contains(f[3], "m")
		here[key] = true
		switch {
		case shutWhy[key] != "" && openWhy[key] != "":
			t.Errorf("%s is said to be both", key)
		case shutWhy[key] != "":
			if !c.BlackListed(key) {
				t.Errorf("%s can be set by a request: %s", key, shutWhy[key])
			}
		case c.BlackListed(key):
			t.Errorf("%s cannot be set by a request, and nobody says why", key)
		case openWhy[key] == "" && (text || meant):
			t.Errorf("%s can be set by a request, and nobody says why that does no harm", key)
		}
		if !meant {
			for _, read := range []string{"Text", "Int", "Int64", "Bool", "Float64", "Prefixes"} {
				if strings.Contains(source, read+`("`+key+`")`) {
					t.Errorf("%s is read and has no mark that says so", key)
				}
			}
		}
	}
	for _, all := range []map[string]string{shutWhy, openWhy} {
		for key := range all {
			if !here[key] {
				t.Errorf("%s is no key of the table", key)
			}
		}
	}
	// Those that are no keys of this table are the name server's, or were stock's once.
	for _, key := range neverRemote {
		if !here[key] && !slices.Contains([]string{"kvConfigPath", "configStorePath", "namesrvListenPort", "haServicePort", "fastListenPort"}, key) {
			t.Errorf("%s is shut and no key", key)
		}
	}
}

// sources is the text of all code that may read a broker's configuration.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, root := range []string{"..", "../../cmd"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
