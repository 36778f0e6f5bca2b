package admin

import "strings"

// All are the commands: stock's, and those that are ours: lag, drain, undrain, export and import.
func All() []*Command {
	return []*Command{
		updateTopic(), updateTopicList(), deleteTopic(), updateTopicPerm(), topicList(), topicRoute(), topicStatus(), topicClusterList(), updateOrderConf(), allocateMQ(),
		updateSubGroup(), updateSubGroupList(), deleteSubGroup(), getConsumerConfig(),
		lagOfGroups(), consumerProgress(), brokerConsumeStats(), consumerConnection(), consumerStatus(), producerConnection(), producer(),
		resetOffsetByTime(), skipAccumulatedMessage(), cloneGroupOffset(),
		queryMsgByID(), queryMsgByKey(), queryMsgByUniqueKey(), queryMsgByOffset(), queryMsgTraceByID(), printMsg(), printMsgByQueue(), queryCq(),
		sendMessage(), consumeMessage(), sendMsgStatus(), checkMsgSendRT(), clusterRT(),
		clusterList(), brokerStatus(), haStatus(), getBrokerEpoch(), statsAll(), resetMasterFlushOffset(),
		getBrokerConfig(), updateBrokerConfig(), getNamesrvConfig(), updateNamesrvConfig(), updateKvConfig(), deleteKvConfig(),
		wipeWritePerm(), addWritePerm(), drainBroker(), undrainBroker(),
		getColdDataFlowCtrInfo(), updateColdDataFlowCtrGroupConfig(), removeColdDataFlowCtrGroupConfig(), setCommitLogReadAheadMode(),
		exportMetadata(), exportConfigs(), exportMetrics(), exportAll(), importAll(),
	}
}

// notHere are commands of stock's that ask for what neither our name server nor our broker has.
var notHere = map[string]string{
	"setConsumeMode": "it needs pop consumption", "exportPopRecord": "it needs pop consumption",
	"addBroker": "it needs a broker container", "removeBroker": "it needs a broker container",
	"cleanExpiredCQ": "the broker does that by itself", "cleanUnusedTopic": "the broker does that by itself", "deleteExpiredCommitLog": "the broker does that by itself",
	"updateStaticTopic": "it needs static topics", "remappingStaticTopic": "it needs static topics",
	"getSyncStateSet": "it needs a controller", "getControllerMetaData": "it needs a controller", "getControllerConfig": "it needs a controller",
	"updateControllerConfig": "it needs a controller", "electMaster": "it needs a controller", "cleanBrokerMetadata": "it needs a controller",
	"createUser": "it needs access control", "updateUser": "it needs access control", "deleteUser": "it needs access control", "getUser": "it needs access control",
	"listUser": "it needs access control", "copyUser": "it needs access control", "createAcl": "it needs access control", "updateAcl": "it needs access control",
	"deleteAcl": "it needs access control", "getAcl": "it needs access control", "listAcl": "it needs access control", "copyAcl": "it needs access control",
	"exportMetadataInRocksDB": "it needs RocksDB", "rocksDBConfigToJson": "it needs RocksDB", "checkRocksdbCqWriteProgress": "it needs RocksDB",
	"dumpCompactionLog": "it needs compaction topics",
	"startMonitoring":   "\"ringmq admin lag --watch\" and the broker's alarms of lag are in its place",
}

// NotHere says why a command of stock's is not there, by its name in any case; "" for a name that stock does not have either.
func NotHere(name string) string {
	for one, why := range notHere {
		if strings.EqualFold(one, name) {
			return why
		}
	}
	return ""
}
