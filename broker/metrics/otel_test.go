package metrics

import (
	"strings"
	"testing"
)

// TestInstruments: stock's metrics by the names that its meter gives them (fact sheet, column OTel name), ours by one name everywhere.
func TestInstruments(t *testing.T) {
	for shown, want := range map[string]Instrument{
		"rocketmq_messages_in_total":                                 {"rocketmq_messages_in_total", "", "broker-meter", true},
		"rocketmq_message_size":                                      {"rocketmq_message_size", "", "broker-meter", true},
		"rocketmq_rpc_latency_milliseconds":                          {"rocketmq_rpc_latency", "milliseconds", "broker-meter", true},
		"rocketmq_topic_create_execution_time_milliseconds":          {"rocketmq_topic_create_execution_time", "milliseconds", "broker-meter", true},
		"rocketmq_consumer_group_create_execution_time_milliseconds": {"rocketmq_consumer_group_create_execution_time", "milliseconds", "broker-meter", true},
		"rocketmq_consumer_lag_latency_milliseconds":                 {"rocketmq_consumer_lag_latency", "milliseconds", "broker-meter", true},
		"rocketmq_consumer_queueing_latency_milliseconds":            {"rocketmq_consumer_queueing_latency", "milliseconds", "broker-meter", true},
		"rocketmq_storage_message_reserve_time_milliseconds":         {"rocketmq_storage_message_reserve_time", "milliseconds", "broker-meter", true},
		"rocketmq_storage_size_bytes":                                {"rocketmq_storage_size", "bytes", "broker-meter", true},
		"rocketmq_storage_flush_behind_bytes":                        {"rocketmq_storage_flush_behind_bytes", "bytes", "broker-meter", true},
		"rocketmq_storage_dispatch_behind_bytes":                     {"rocketmq_storage_dispatch_behind_bytes", "bytes", "broker-meter", true},
		"ringmq_commit_duration_seconds":                             {"ringmq_commit_duration_seconds", "s", "ringmq", false},
		"ringmq_log_read_bytes_total":                                {"ringmq_log_read_bytes_total", "By", "ringmq", true},
		"ringmq_replication_bytes_per_second":                        {"ringmq_replication_bytes_per_second", "By/s", "ringmq", false},
		"ringmq_log_segments":                                        {"ringmq_log_segments", "", "ringmq", false},
		"go_goroutines":                                              {"go_goroutines", "", "ringmq", false},
	} {
		if got := InstrumentOf(shown); got != want {
			t.Errorf("%s: %+v, want %+v", shown, got, want)
		}
	}
	names := map[string]bool{}
	for _, m := range Table {
		i := InstrumentOf(m.Name)
		if names[i.Name] {
			t.Errorf("two metrics are %s", i.Name)
		}
		if names[i.Name] = true; i.Unit != "" && i.Scope == Scope && i.Name != m.Name && i.Name+"_"+i.Unit != m.Name {
			t.Errorf("%s is not what stock's exporter makes of %s in %s", m.Name, i.Name, i.Unit)
		}
		if strings.Contains(i.Name, "milliseconds") {
			t.Errorf("%s has its unit in its name", i.Name)
		}
	}
}
