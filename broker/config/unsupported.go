package config

import (
	"slices"

	"ringmq/netpoll/remoting/settings"
)

// refused are the values that a broker must not start with: it would be open where it was meant to be closed, or not read what the
// store holds.
var refused = append(settings.TLS, []settings.Wish{
	{Key: "aclEnable", Value: "true", Why: "access control is not built yet, and running without it would leave the broker open"},
	{Key: "authenticationEnabled", Value: "true", Why: "access control is not built yet, and running without it would leave the broker open"},
	{Key: "authorizationEnabled", Value: "true", Why: "access control is not built yet, and running without it would leave the broker open"},
	{Key: "enableControllerMode", Value: "true", Why: "election of masters is not built yet"},
	{Key: "enableDLegerCommitLog", Value: "true", Why: "a log replicated by Raft is not built yet"},
	{Key: "storeType", Value: "default", Other: true, Why: "only the store in files is built, and it does not read another"},
	{Key: "configManagerVersion", Value: "v1", Other: true, Why: "topics and groups are read from JSON files only, those in RocksDB would be missing"},
	{Key: "messageStorePlugIn", Value: "", Other: true, Why: "plugins of the store are not built, and what one has moved away would be missing"},
}...)

// unsupported are wishes that a broker can start without; whoever has them is told.
var unsupported = []settings.Wish{
	{Key: "timerWheelEnable", Value: "true"}, {Key: "enablePropertyFilter", Value: "true"}, {Key: "recallMessageEnable", Value: "true"},
	{Key: "enableSlaveActingMaster", Value: "true"}, {Key: "totalReplicas", Value: "1", Other: true}, {Key: "allAckInSyncStateSet", Value: "true"},
	{Key: "popConsumerKVServiceEnable", Value: "true"}, {Key: "rocksdbCQDoubleWriteEnable", Value: "true"}, {Key: "enableLmq", Value: "true"},
	{Key: "enableMultiDispatch", Value: "true"}, {Key: "enableConsumeQueueExt", Value: "true"},
	{Key: "migrateAuthFromV1Enabled", Value: "true"}, {Key: "tls.server.mode", Value: "permissive"},
}

// Unsupported lists, as key=value, what was asked for by name and is not built yet.
func (c *Config) Unsupported() []string {
	var all []string
	for _, w := range unsupported {
		if s, ok := c.Wished(w); ok {
			all = append(all, s.Key+"="+s.Value)
		}
	}
	return all
}

// WithoutEffect lists the other keys that were set to something and do nothing here.
func (c *Config) WithoutEffect() []string {
	return slices.DeleteFunc(c.Values.WithoutEffect(), func(key string) bool {
		return slices.ContainsFunc(unsupported, func(w settings.Wish) bool {
			_, told := c.Wished(w)
			return told && w.Key == key
		})
	})
}
