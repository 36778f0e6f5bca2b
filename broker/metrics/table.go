package metrics

import "strings"

// Kind of a metric.
type Kind string

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
	Switch  string // that shows it, a key of stock's without enable and Metrics; "": always
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
	{Name: "rocketmq_processor_watermark", Kind: Gauge, Unit: "requests", Labels: labels("processor"), Help: "Requests that wait, by what a stock broker calls the processor: send those whose answer waits for the log, pull those that wait for a reader, query_message and admin those that wait for a worker. The others are served at once and are 0", Switch: "Stats"},
	{Name: "rocketmq_broker_permission", Kind: Gauge, Help: "What clients may do: 2 write, 4 read, 6 both", Switch: "Stats"},
	{Name: "rocketmq_topic_number", Kind: Gauge, Unit: "topics", Help: "Topics in the table", Switch: "Stats"},
	{Name: "rocketmq_consumer_group_number", Kind: Gauge, Unit: "groups", Help: "Consumer groups in the table", Switch: "Stats"},

	{Name: "rocketmq_messages_in_total", Kind: Counter, Unit: "messages", Labels: labels("topic message_type is_system"), Help: "Messages stored, those to be tried again and dead letters apart", Switch: "Request"},
	{Name: "rocketmq_throughput_in_total", Kind: Counter, Unit: "bytes", Labels: labels("topic message_type is_system"), Help: "Bytes stored, as messages_in", Switch: "Request"},
	{Name: "rocketmq_message_size", Kind: Histogram, Unit: "bytes", Labels: labels("topic message_type is_system"), Buckets: sizeBuckets, Help: "Stored size of a message, of a batch its average", Switch: "Request"},
	{Name: "rocketmq_messages_out_total", Kind: Counter, Unit: "messages", Labels: labels("topic consumer_group is_system"), Help: "Messages handed out, those to be tried again and dead letters apart", Switch: "Request"},
	{Name: "rocketmq_throughput_out_total", Kind: Counter, Unit: "bytes", Labels: labels("topic consumer_group is_system"), Help: "Bytes handed out, as messages_out", Switch: "Request"},
	{Name: "rocketmq_topic_create_execution_time_milliseconds", Kind: Histogram, Unit: "ms", Labels: labels("invocation_status is_system"), Buckets: createdBuckets, Help: "Time of the requests that make or change topics (17, 18)", Switch: "Request"},
	{Name: "rocketmq_consumer_group_create_execution_time_milliseconds", Kind: Histogram, Unit: "ms", Labels: labels("invocation_status"), Buckets: createdBuckets, Help: "Time of the requests that make or change groups (200, 225)", Switch: "Request"},

	{Name: "rocketmq_producer_connections", Kind: Gauge, Unit: "connections", Labels: labels("language version protocol_type"), Help: "Producers that are connected", Switch: "Connection"},
	{Name: "rocketmq_consumer_connections", Kind: Gauge, Unit: "connections", Labels: labels("consumer_group language version consume_mode protocol_type is_system"), Help: "Consumers that are connected", Switch: "Connection"},

	{Name: "rocketmq_consumer_lag_messages", Kind: Gauge, Unit: "messages", Labels: labels(lagLabels), Help: "Messages that a group that is online has not acknowledged", Switch: "LagAndDlq"},
	{Name: "rocketmq_consumer_lag_latency_milliseconds", Kind: Gauge, Unit: "ms", Labels: labels(lagLabels), Help: "Age of the oldest of them", Switch: "LagAndDlq"},
	{Name: "rocketmq_consumer_inflight_messages", Kind: Gauge, Unit: "messages", Labels: labels(lagLabels), Help: "Messages handed out and not acknowledged", Switch: "LagAndDlq"},
	{Name: "rocketmq_consumer_ready_messages", Kind: Gauge, Unit: "messages", Labels: labels(lagLabels), Help: "Messages not handed out yet", Switch: "LagAndDlq"},
	{Name: "rocketmq_consumer_queueing_latency_milliseconds", Kind: Gauge, Unit: "ms", Labels: labels(lagLabels), Help: "Age of the oldest of them", Switch: "LagAndDlq"},
	{Name: "rocketmq_send_to_dlq_messages_total", Kind: Counter, Unit: "messages", Labels: labels("consumer_group topic is_system"), Help: "Messages that became dead letters", Switch: "LagAndDlq"},

	{Name: "rocketmq_rpc_latency_milliseconds", Kind: Histogram, Unit: "ms", Labels: labels("protocol_type request_code response_code is_long_polling result"), Buckets: rpcBuckets, Help: "Time from reading a request until its answer leaves; of one that waited for messages to come, that time too", Switch: "Remoting"},

	{Name: "rocketmq_storage_size_bytes", Kind: Gauge, Unit: "bytes", Labels: labels(disk), Help: "Used bytes of the disk that holds the store", Switch: "MessageStore"},
	{Name: "rocketmq_storage_flush_behind_bytes", Kind: Gauge, Unit: "bytes", Labels: labels(disk), Help: "Bytes of the log that are not synced", Switch: "MessageStore"},
	{Name: "rocketmq_storage_dispatch_behind_bytes", Kind: Gauge, Unit: "bytes", Labels: labels(disk), Help: "Bytes of the log that no queue has yet", Switch: "MessageStore"},
	{Name: "rocketmq_storage_message_reserve_time_milliseconds", Kind: Gauge, Unit: "ms", Labels: labels(disk), Help: "Age of the oldest message", Switch: "MessageStore"},

	{Name: "ringmq_disk_engine_info", Kind: Gauge, Labels: labels("engine reason"), Help: "1; which engine writes the log, and why", Switch: "MessageStore"},
	{Name: "ringmq_disk_engine_operations_total", Kind: Counter, Unit: "operations", Help: "Operations given to that engine since the start: writes of the log, and the syncs that go with them", Switch: "MessageStore"},
	{Name: "ringmq_disk_engine_operations_in_flight", Kind: Gauge, Unit: "operations", Help: "Those that it has at the moment", Switch: "MessageStore"},
	{Name: "ringmq_disk_engine_operations_redone_total", Kind: Counter, Unit: "operations", Help: "Those that io_uring did in part (a short write) or not at all, without a fault of the disk, and that were done again by ordinary calls", Switch: "MessageStore"},
	{Name: "ringmq_disk_engine_refusals_total", Kind: Counter, Help: "Times that the kernel took no operation for io_uring, for want of memory, and was asked again", Switch: "MessageStore"},
	{Name: "ringmq_commits_total", Kind: Counter, Unit: "commits", Labels: labels("way"), Help: "Commits of the log by the way they went: ring, an event loop gave it to io_uring and served on; waited, the committer's goroutine gave it to the engine and waited; handed_over, a loop left it to the goroutine, since what lies ahead was not zeroed yet, too much was unsynced, no loop heard the ring, or the ring had to have it done again", Switch: "MessageStore"},
	{Name: "ringmq_log_offset_bytes", Kind: Gauge, Unit: "bytes", Labels: labels("mark"), Help: "Offsets of the log: min, reserved (given to messages), written (with the kernel), durable (synced), visible (acknowledged and readable), dispatched (in queues)", Switch: "MessageStore"},
	{Name: "ringmq_commit_size_bytes", Kind: Histogram, Unit: "bytes", Buckets: "1024 4096 16384 65536 262144 1048576 4194304 16777216", Help: "Bytes of the log that were committed with one write", Switch: "MessageStore"},
	{Name: "ringmq_commit_duration_seconds", Kind: Histogram, Unit: "s", Buckets: "25e-6 50e-6 100e-6 250e-6 500e-6 1e-3 2.5e-3 5e-3 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5", Help: "How long the disk had a commit, its sync included", Switch: "MessageStore"},
	{Name: "ringmq_messages_stored_total", Kind: Counter, Unit: "messages", Help: "Messages in the log since the start, copied ones included", Switch: "MessageStore"},
	{Name: "ringmq_store_failures_total", Kind: Counter, Help: "Messages that were not stored", Switch: "MessageStore"},
	{Name: "ringmq_log_segments", Kind: Gauge, Unit: "segments", Help: "Segments of the log", Switch: "MessageStore"},
	{Name: "ringmq_log_segments_deleted_total", Kind: Counter, Unit: "segments", Help: "Segments deleted since the start", Switch: "MessageStore"},
	{Name: "ringmq_log_unzeroed_rolls_total", Kind: Counter, Unit: "segments", Help: "Segments that were needed before they had been filled with zeros, where they were to be: writes to them cost more", Switch: "MessageStore"},
	{Name: "ringmq_log_gaps", Kind: Gauge, Unit: "gaps", Help: "Places of the log where something is lost, known and not healed", Switch: "MessageStore"},
	{Name: "ringmq_log_gaps_healed_total", Kind: Counter, Unit: "gaps", Help: "Such places that a copy had", Switch: "MessageStore"},
	{Name: "ringmq_queues", Kind: Gauge, Unit: "queues", Help: "Queues in memory", Switch: "MessageStore"},
	{Name: "ringmq_queue_flush_failures_total", Kind: Counter, Help: "Queue files that could not be written; tried again", Switch: "MessageStore"},
	{Name: "ringmq_queue_stalls_total", Kind: Counter, Help: "Times the dispatcher had to write queue files itself", Switch: "MessageStore"},
	{Name: "ringmq_index_behind_bytes", Kind: Gauge, Unit: "bytes", Help: "Bytes of the log that the key index has not seen", Switch: "MessageStore"},
	{Name: "ringmq_index_waits_total", Kind: Counter, Help: "Times the dispatcher waited for the index's disk", Switch: "MessageStore"},
	{Name: "ringmq_disk_bytes", Kind: Gauge, Unit: "bytes", Labels: labels("state"), Help: "Size of the disk that holds the store (total) and what of it may be used (free)", Switch: "MessageStore"},
	{Name: "ringmq_recovery_seconds", Kind: Gauge, Unit: "s", Help: "How long the last start looked at the log again", Switch: "MessageStore"},
	{Name: "ringmq_recovered_bytes", Kind: Gauge, Unit: "bytes", Help: "How much of it", Switch: "MessageStore"},

	{Name: "ringmq_log_read_bytes_total", Kind: Counter, Unit: "bytes", Labels: labels("source by"), Help: "Bytes of the log read for pulls, memory apart: by an event loop from the page cache, by workers from the page cache or from the disk", Switch: "MessageStore"},
	{Name: "ringmq_pulls_found_total", Kind: Counter, Unit: "pulls", Labels: labels("source"), Help: "Pulls that found messages: in memory (hot), in the page cache (warm), on the disk (cold)", Switch: "MessageStore"},
	{Name: "ringmq_page_cache_resident_bytes", Kind: Gauge, Unit: "bytes", Help: "Bytes of the log in the page cache, as of the last scan (coldDataFlowControlEnable and coldDataScanEnable); without a scan there is none", Switch: "MessageStore"},

	{Name: "ringmq_replication_slaves", Kind: Gauge, Unit: "slaves", Help: "Slaves that are connected; on a master"},
	{Name: "ringmq_replication_turned_away_total", Kind: Counter, Unit: "connections", Help: "Connections to the HA port that were closed as they came: from outside of haAllowedCidrs, or all places taken; on a master"},
	{Name: "ringmq_replication_copies_in_step", Kind: Gauge, Unit: "copies", Help: "Copies in step, the master's own included; on a master"},
	{Name: "ringmq_replication_copies_wanted", Kind: Gauge, Unit: "copies", Help: "Copies that an acknowledged message has; on a master"},
	{Name: "ringmq_replication_enough", Kind: Gauge, Help: "1 while enough copies are in step, 0 while messages are acknowledged without them; on a master"},
	{Name: "ringmq_replication_confirmed_offset_bytes", Kind: Gauge, Unit: "bytes", Help: "Enough copies have had the log up to here; on a master that waits for copies"},
	{Name: "ringmq_replication_slave_lag_bytes", Kind: Gauge, Unit: "bytes", Labels: labels("slave"), Help: "How far a slave is behind the end of the log; on a master"},
	{Name: "ringmq_replication_slave_in_step", Kind: Gauge, Labels: labels("slave"), Help: "1 while a slave is in step; on a master"},
	{Name: "ringmq_replication_slave_sent_offset_bytes", Kind: Gauge, Unit: "bytes", Labels: labels("slave"), Help: "A slave was sent the log up to here; on a master"},
	{Name: "ringmq_replication_slave_bytes_per_second", Kind: Gauge, Unit: "bytes/s", Labels: labels("slave"), Help: "What goes to a slave; on a master"},
	{Name: "ringmq_replication_connected", Kind: Gauge, Help: "1 while the master is connected; on a slave"},
	{Name: "ringmq_replication_refused", Kind: Gauge, Help: "1 while nothing is copied because the log is not the master's; on a slave"},
	{Name: "ringmq_replication_offset_bytes", Kind: Gauge, Unit: "bytes", Help: "This slave has the log up to here"},
	{Name: "ringmq_replication_lag_bytes", Kind: Gauge, Unit: "bytes", Help: "And the master was that much further when it was last heard; on a slave"},
	{Name: "ringmq_replication_silence_seconds", Kind: Gauge, Unit: "s", Help: "Since the master was last heard; on a slave"},
	{Name: "ringmq_replication_bytes_per_second", Kind: Gauge, Unit: "bytes/s", Help: "What is copied; on a slave"},

	{Name: "ringmq_connections_turned_away_total", Kind: Counter, Unit: "connections", Labels: labels("cap"), Help: "Connections closed as they came because there were too many: of all hosts (all, maxConnections) or of theirs (host, maxConnectionsPerHost)"},
	{Name: "ringmq_client_sent_messages_total", Kind: Counter, Unit: "messages", Labels: labels("client"), Help: "Messages stored for a client, by the id that its heartbeats name or by its host; for the 100 that move the most bytes at the moment, or metricsTopK if that is less, and all others", Switch: "Connection"},
	{Name: "ringmq_client_sent_bytes_total", Kind: Counter, Unit: "bytes", Labels: labels("client"), Help: "Bytes stored for it", Switch: "Connection"},
	{Name: "ringmq_client_pulled_bytes_total", Kind: Counter, Unit: "bytes", Labels: labels("client"), Help: "Bytes handed out to it", Switch: "Connection"},
	{Name: "ringmq_clients_over_quota", Kind: Gauge, Unit: "clients", Labels: labels("quota"), Help: "Clients that use more in a second than a key allows: send_messages, send_bytes, pull_bytes"},
	{Name: "ringmq_quota_waits_total", Kind: Counter, Labels: labels("request"), Help: "Sends, those that give a message back included, and pulls that had to wait because their client was over its quota (clientQuotaAction=limit); each once, however long it waited"},

	{Name: "ringmq_lag_alarm", Kind: Gauge, Labels: labels("consumer_group topic cause"), Help: "1 while an alarm of lag stands (lagAlarmMessages, lagAlarmBehindMs), with its cause as of the last look, and then no more; beyond metricsTopK, those with the most messages waiting first, how many others stand", Switch: "LagAndDlq"},
	{Name: "ringmq_lag_alarms_total", Kind: Counter, Unit: "alarms", Labels: labels("event"), Help: "Alarms of lag since the start that have begun, and that have ended", Switch: "LagAndDlq"},
	{Name: "ringmq_messages_given_back_total", Kind: Counter, Unit: "messages", Labels: labels("consumer_group"), Help: "Messages that a group gave back (request 36), to be tried again or as dead letters, each as often as it did", Switch: "LagAndDlq"},
	{Name: "ringmq_unattended_messages", Kind: Gauge, Unit: "messages", Labels: labels("consumer_group topic"), Help: "Messages that wait for a group that has consumed from the topic before and has no member now, messages to be tried again apart; no series where none wait; on a master", Switch: "LagAndDlq"},

	{Name: "ringmq_registered", Kind: Gauge, Labels: labels("namesrv"), Help: "1 while a name server of namesrvAddr has the broker in its tables, as far as is known: it answered the last registration, within two minutes"},

	{Name: "ringmq_loop_turn_seconds", Kind: Histogram, Unit: "s", Labels: labels("loop"), Buckets: "100e-6 250e-6 500e-6 1e-3 2.5e-3 5e-3 0.01 0.05 0.1 0.5 1", Help: "How long turns of an event loop took from the first request to the answers"},
	{Name: "ringmq_loop_parked_answers", Kind: Gauge, Unit: "answers", Labels: labels("loop"), Help: "Answers of an event loop that wait for the log"},
	{Name: "ringmq_connections", Kind: Gauge, Unit: "connections", Help: "Connections of clients"},
	{Name: "ringmq_connections_paused", Kind: Gauge, Unit: "connections", Help: "Connections that are not read from at the moment: back-pressure"},
	{Name: "ringmq_connection_buffer_bytes", Kind: Gauge, Unit: "bytes", Labels: labels("direction"), Help: "Bytes read and not served (in), answered and not taken (out)"},
	{Name: "ringmq_held_pulls", Kind: Gauge, Unit: "pulls", Help: "Pulls that wait for messages"},
	{Name: "ringmq_held_pull_bytes", Kind: Gauge, Unit: "bytes", Help: "Memory of pulls that wait"},
	{Name: "ringmq_pending_request_bytes", Kind: Gauge, Unit: "bytes", Help: "Memory of requests that wait for workers, clients or topics"},
	{Name: "ringmq_slow_requests_total", Kind: Counter, Unit: "requests", Labels: labels("request"), Help: "Requests over slowLogThresholdMs, of which some have a line in the log"},
	{Name: "ringmq_metrics_pushes_total", Kind: Counter, Unit: "pushes", Labels: labels("outcome"), Help: "Times that the broker handed its metrics on by itself, by OTLP or to its log: success or failure; where metricsExporterType asks for it"},
	{Name: "ringmq_broker_active", Kind: Gauge, Help: "1 while the broker takes messages: a master that is not being stopped"},
	{Name: "ringmq_build_info", Kind: Gauge, Labels: labels("version"), Help: "1; which build this is"},
}
