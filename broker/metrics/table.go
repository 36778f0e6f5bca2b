package metrics

import "strings"

// Kind of a metric.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Metric is one family of series.
type Metric struct {
	Name    string
	Kind    Kind
	Unit    string
	Labels  []string // beside those that all have
	Buckets string   // of a histogram
	Help    string
	Group   string // switch that shows it, a key of stock's without enable and Metrics; "": always
}

func labels(all string) []string { return strings.Fields(all) }

// Buckets of stock's.
const (
	rpcBuckets     = "1 3 5 7 10 100 1000 2000 3000"
	sizeBuckets    = "1024 4096 524288 1048576 2097152 4194304"
	createdBuckets = "10 100 1000 3000 5000"
	lagLabels      = "consumer_group topic is_retry is_system"
	disk           = "storage_type storage_medium"
)

// Table lists every metric but those of Go's runtime and of the process.
var Table = []Metric{
	{"rocketmq_processor_watermark", Gauge, "requests", labels("processor"), "", "Requests that wait, by what a stock broker calls the processor: send those whose answer waits for the log, pull those that wait for a reader, query_message and admin those that wait for a worker. The others are served at once and are 0", "Stats"},
	{"rocketmq_broker_permission", Gauge, "", nil, "", "What clients may do: 2 write, 4 read, 6 both", "Stats"},
	{"rocketmq_topic_number", Gauge, "topics", nil, "", "Topics in the table", "Stats"},
	{"rocketmq_consumer_group_number", Gauge, "groups", nil, "", "Consumer groups in the table", "Stats"},

	{"rocketmq_messages_in_total", Counter, "messages", labels("topic message_type is_system"), "", "Messages stored, those to be tried again and dead letters apart", "Request"},
	{"rocketmq_throughput_in_total", Counter, "bytes", labels("topic message_type is_system"), "", "Bytes stored, as messages_in", "Request"},
	{"rocketmq_message_size", Histogram, "bytes", labels("topic message_type is_system"), sizeBuckets, "Stored size of a message, of a batch its average", "Request"},
	{"rocketmq_messages_out_total", Counter, "messages", labels("topic consumer_group is_system"), "", "Messages handed out, those to be tried again and dead letters apart", "Request"},
	{"rocketmq_throughput_out_total", Counter, "bytes", labels("topic consumer_group is_system"), "", "Bytes handed out, as messages_out", "Request"},
	{"rocketmq_topic_create_execution_time_milliseconds", Histogram, "ms", labels("invocation_status is_system"), createdBuckets, "Time of the requests that make or change topics (17, 18)", "Request"},
	{"rocketmq_consumer_group_create_execution_time_milliseconds", Histogram, "ms", labels("invocation_status"), createdBuckets, "Time of the requests that make or change groups (200, 225)", "Request"},

	{"rocketmq_producer_connections", Gauge, "connections", labels("language version protocol_type"), "", "Producers that are connected", "Connection"},
	{"rocketmq_consumer_connections", Gauge, "connections", labels("consumer_group language version consume_mode protocol_type is_system"), "", "Consumers that are connected", "Connection"},

	{"rocketmq_consumer_lag_messages", Gauge, "messages", labels(lagLabels), "", "Messages that a group that is online has not acknowledged", "LagAndDlq"},
	{"rocketmq_consumer_lag_latency_milliseconds", Gauge, "ms", labels(lagLabels), "", "Age of the oldest of them", "LagAndDlq"},
	{"rocketmq_consumer_inflight_messages", Gauge, "messages", labels(lagLabels), "", "Messages handed out and not acknowledged", "LagAndDlq"},
	{"rocketmq_consumer_ready_messages", Gauge, "messages", labels(lagLabels), "", "Messages not handed out yet", "LagAndDlq"},
	{"rocketmq_consumer_queueing_latency_milliseconds", Gauge, "ms", labels(lagLabels), "", "Age of the oldest of them", "LagAndDlq"},
	{"rocketmq_send_to_dlq_messages_total", Counter, "messages", labels("consumer_group topic is_system"), "", "Messages that became dead letters", "LagAndDlq"},

	{"rocketmq_rpc_latency_milliseconds", Histogram, "ms", labels("protocol_type request_code response_code is_long_polling result"), rpcBuckets, "Time from reading a request until its answer leaves; of one that waited for messages to come, that time too", "Remoting"},

	{"rocketmq_storage_size_bytes", Gauge, "bytes", labels(disk), "", "Used bytes of the disk that holds the store", "MessageStore"},
	{"rocketmq_storage_flush_behind_bytes", Gauge, "bytes", labels(disk), "", "Bytes of the log that are not synced", "MessageStore"},
	{"rocketmq_storage_dispatch_behind_bytes", Gauge, "bytes", labels(disk), "", "Bytes of the log that no queue has yet", "MessageStore"},
	{"rocketmq_storage_message_reserve_time_milliseconds", Gauge, "ms", labels(disk), "", "Age of the oldest message", "MessageStore"},

	{"ringmq_disk_engine_info", Gauge, "", labels("engine reason"), "", "1; which engine writes the log, and why", "MessageStore"},
	{"ringmq_disk_engine_operations_total", Counter, "operations", nil, "", "Operations given to that engine since the start: writes of the log, and the syncs that go with them", "MessageStore"},
	{"ringmq_disk_engine_operations_in_flight", Gauge, "operations", nil, "", "Those that it has at the moment", "MessageStore"},
	{"ringmq_disk_engine_operations_redone_total", Counter, "operations", nil, "", "Those that io_uring did in part (a short write) or not at all, without a fault of the disk, and that were done again by ordinary calls", "MessageStore"},
	{"ringmq_disk_engine_refusals_total", Counter, "", nil, "", "Times that the kernel took no operation for io_uring, for want of memory, and was asked again", "MessageStore"},
	{"ringmq_commits_total", Counter, "commits", labels("way"), "", "Commits of the log by the way they went: ring, an event loop gave it to io_uring and served on; waited, the committer's goroutine gave it to the engine and waited; handed_over, a loop left it to the goroutine, since what lies ahead was not zeroed yet, too much was unsynced, no loop heard the ring, or the ring had to have it done again", "MessageStore"},
	{"ringmq_log_offset_bytes", Gauge, "bytes", labels("mark"), "", "Offsets of the log: min, reserved (given to messages), written (with the kernel), durable (synced), visible (acknowledged and readable), dispatched (in queues)", "MessageStore"},
	{"ringmq_commit_size_bytes", Histogram, "bytes", nil, "1024 4096 16384 65536 262144 1048576 4194304 16777216", "Bytes of the log that were committed with one write", "MessageStore"},
	{"ringmq_commit_duration_seconds", Histogram, "s", nil, "25e-6 50e-6 100e-6 250e-6 500e-6 1e-3 2.5e-3 5e-3 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5", "How long the disk had a commit, its sync included", "MessageStore"},
	{"ringmq_messages_stored_total", Counter, "messages", nil, "", "Messages in the log since the start, copied ones included", "MessageStore"},
	{"ringmq_store_failures_total", Counter, "", nil, "", "Messages that were not stored", "MessageStore"},
	{"ringmq_log_segments", Gauge, "segments", nil, "", "Segments of the log", "MessageStore"},
	{"ringmq_log_segments_deleted_total", Counter, "segments", nil, "", "Segments deleted since the start", "MessageStore"},
	{"ringmq_log_unzeroed_rolls_total", Counter, "segments", nil, "", "Segments that were needed before they had been filled with zeros, where they were to be: writes to them cost more", "MessageStore"},
	{"ringmq_log_gaps", Gauge, "gaps", nil, "", "Places of the log where something is lost, known and not healed", "MessageStore"},
	{"ringmq_log_gaps_healed_total", Counter, "gaps", nil, "", "Such places that a copy had", "MessageStore"},
	{"ringmq_queues", Gauge, "queues", nil, "", "Queues in memory", "MessageStore"},
	{"ringmq_queue_flush_failures_total", Counter, "", nil, "", "Queue files that could not be written; tried again", "MessageStore"},
	{"ringmq_queue_stalls_total", Counter, "", nil, "", "Times the dispatcher had to write queue files itself", "MessageStore"},
	{"ringmq_index_behind_bytes", Gauge, "bytes", nil, "", "Bytes of the log that the key index has not seen", "MessageStore"},
	{"ringmq_index_waits_total", Counter, "", nil, "", "Times the dispatcher waited for the index's disk", "MessageStore"},
	{"ringmq_disk_bytes", Gauge, "bytes", labels("state"), "", "Size of the disk that holds the store (total) and what of it may be used (free)", "MessageStore"},
	{"ringmq_recovery_seconds", Gauge, "s", nil, "", "How long the last start looked at the log again", "MessageStore"},
	{"ringmq_recovered_bytes", Gauge, "bytes", nil, "", "How much of it", "MessageStore"},

	{"ringmq_log_read_bytes_total", Counter, "bytes", labels("source by"), "", "Bytes of the log read for pulls, memory apart: by an event loop from the page cache, by workers from the page cache or from the disk", "MessageStore"},
	{"ringmq_pulls_found_total", Counter, "pulls", labels("source"), "", "Pulls that found messages: in memory (hot), in the page cache (warm), on the disk (cold)", "MessageStore"},
	{"ringmq_page_cache_resident_bytes", Gauge, "bytes", nil, "", "Bytes of the log in the page cache, as of the last scan (coldDataFlowControlEnable and coldDataScanEnable); without a scan there is none", "MessageStore"},

	{"ringmq_replication_slaves", Gauge, "slaves", nil, "", "Slaves that are connected; on a master", ""},
	{"ringmq_replication_turned_away_total", Counter, "connections", nil, "", "Connections to the HA port that were closed as they came: from outside of haAllowedCidrs, or all places taken; on a master", ""},
	{"ringmq_replication_copies_in_step", Gauge, "copies", nil, "", "Copies in step, the master's own included; on a master", ""},
	{"ringmq_replication_copies_wanted", Gauge, "copies", nil, "", "Copies that an acknowledged message has; on a master", ""},
	{"ringmq_replication_enough", Gauge, "", nil, "", "1 while enough copies are in step, 0 while messages are acknowledged without them; on a master", ""},
	{"ringmq_replication_confirmed_offset_bytes", Gauge, "bytes", nil, "", "Enough copies have had the log up to here; on a master that waits for copies", ""},
	{"ringmq_replication_slave_lag_bytes", Gauge, "bytes", labels("slave"), "", "How far a slave is behind the end of the log; on a master", ""},
	{"ringmq_replication_slave_in_step", Gauge, "", labels("slave"), "", "1 while a slave is in step; on a master", ""},
	{"ringmq_replication_slave_sent_offset_bytes", Gauge, "bytes", labels("slave"), "", "A slave was sent the log up to here; on a master", ""},
	{"ringmq_replication_slave_bytes_per_second", Gauge, "bytes/s", labels("slave"), "", "What goes to a slave; on a master", ""},
	{"ringmq_replication_connected", Gauge, "", nil, "", "1 while the master is connected; on a slave", ""},
	{"ringmq_replication_refused", Gauge, "", nil, "", "1 while nothing is copied because the log is not the master's; on a slave", ""},
	{"ringmq_replication_offset_bytes", Gauge, "bytes", nil, "", "This slave has the log up to here", ""},
	{"ringmq_replication_lag_bytes", Gauge, "bytes", nil, "", "And the master was that much further when it was last heard; on a slave", ""},
	{"ringmq_replication_silence_seconds", Gauge, "s", nil, "", "Since the master was last heard; on a slave", ""},
	{"ringmq_replication_bytes_per_second", Gauge, "bytes/s", nil, "", "What is copied; on a slave", ""},

	{"ringmq_connections_turned_away_total", Counter, "connections", labels("cap"), "", "Connections closed as they came because there were too many: of all hosts (all, maxConnections) or of theirs (host, maxConnectionsPerHost)", ""},
	{"ringmq_client_sent_messages_total", Counter, "messages", labels("client"), "", "Messages stored for a client, by the id that its heartbeats name or by its host; for the 100 that move the most bytes at the moment, or metricsTopK if that is less, and all others", "Connection"},
	{"ringmq_client_sent_bytes_total", Counter, "bytes", labels("client"), "", "Bytes stored for it", "Connection"},
	{"ringmq_client_pulled_bytes_total", Counter, "bytes", labels("client"), "", "Bytes handed out to it", "Connection"},
	{"ringmq_clients_over_quota", Gauge, "clients", labels("quota"), "", "Clients that use more in a second than a key allows: send_messages, send_bytes, pull_bytes", ""},
	{"ringmq_quota_waits_total", Counter, "", labels("request"), "", "Sends, those that give a message back included, and pulls that had to wait because their client was over its quota (clientQuotaAction=limit); each once, however long it waited", ""},

	{"ringmq_lag_alarm", Gauge, "", labels("consumer_group topic cause"), "", "1 while an alarm of lag stands (lagAlarmMessages, lagAlarmBehindMs), with its cause as of the last look, and then no more; beyond metricsTopK, those with the most messages waiting first, how many others stand", "LagAndDlq"},
	{"ringmq_lag_alarms_total", Counter, "alarms", labels("event"), "", "Alarms of lag since the start that have begun, and that have ended", "LagAndDlq"},
	{"ringmq_messages_given_back_total", Counter, "messages", labels("consumer_group"), "", "Messages that a group gave back (request 36), to be tried again or as dead letters, each as often as it did", "LagAndDlq"},
	{"ringmq_unattended_messages", Gauge, "messages", labels("consumer_group topic"), "", "Messages that wait for a group that has consumed from the topic before and has no member now, messages to be tried again apart; no series where none wait; on a master", "LagAndDlq"},

	{"ringmq_registered", Gauge, "", labels("namesrv"), "", "1 while a name server of namesrvAddr has the broker in its tables, as far as is known: it answered the last registration, within two minutes", ""},

	{"ringmq_loop_turn_seconds", Histogram, "s", labels("loop"), "100e-6 250e-6 500e-6 1e-3 2.5e-3 5e-3 0.01 0.05 0.1 0.5 1", "How long turns of an event loop took from the first request to the answers", ""},
	{"ringmq_loop_parked_answers", Gauge, "answers", labels("loop"), "", "Answers of an event loop that wait for the log", ""},
	{"ringmq_connections", Gauge, "connections", nil, "", "Connections of clients", ""},
	{"ringmq_connections_paused", Gauge, "connections", nil, "", "Connections that are not read from at the moment: back-pressure", ""},
	{"ringmq_connection_buffer_bytes", Gauge, "bytes", labels("direction"), "", "Bytes read and not served (in), answered and not taken (out)", ""},
	{"ringmq_held_pulls", Gauge, "pulls", nil, "", "Pulls that wait for messages", ""},
	{"ringmq_held_pull_bytes", Gauge, "bytes", nil, "", "Memory of pulls that wait", ""},
	{"ringmq_pending_request_bytes", Gauge, "bytes", nil, "", "Memory of requests that wait for workers, clients or topics", ""},
	{"ringmq_slow_requests_total", Counter, "requests", labels("request"), "", "Requests over slowLogThresholdMs, of which some have a line in the log", ""},
	{"ringmq_metrics_pushes_total", Counter, "pushes", labels("outcome"), "", "Times that the broker handed its metrics on by itself, by OTLP or to its log: success or failure; where metricsExporterType asks for it", ""},
	{"ringmq_broker_active", Gauge, "", nil, "", "1 while the broker takes messages: a master that is not being stopped", ""},
	{"ringmq_build_info", Gauge, "", labels("version"), "", "1; which build this is", ""},
}
