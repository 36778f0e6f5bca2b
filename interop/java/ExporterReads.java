import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.admin.ConsumeStats;
import org.apache.rocketmq.remoting.protocol.admin.OffsetWrapper;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.remoting.protocol.body.Connection;
import org.apache.rocketmq.remoting.protocol.body.ConsumerConnection;
import org.apache.rocketmq.remoting.protocol.body.KVTable;
import org.apache.rocketmq.remoting.protocol.body.TopicList;

/** ExporterReads asks what rocketmq-exporter 0.0.2 asks, in its order: topics, their groups, the members of those, and the broker's figures. */
final class ExporterReads {
    /** Keys of the runtime table (28) whose values follow from the traffic, or are the same at all times. The others are of the moment. */
    private static final Pattern SETTLED = Pattern.compile("brokerVersion|brokerVersionDesc|brokerActive|msg(Put|Get)Total.*"
        + "|putMessage(TimesTotal|SizeTotal|AverageSize|FailedTimes)|commitLogM.*Offset|dispatch.*|pageCacheLockTimeMills|startAcceptSendRequestTimeStamp"
        + "|remainTransientStoreBufferNumbs|scheduleMessageOffset_.*|.*Queue(Size|Capacity)");

    private final Reads reads;
    private final DefaultMQPullConsumer puller;

    ExporterReads(Reads reads) throws Exception {
        this.reads = reads;
        puller = new DefaultMQPullConsumer(MixAll.TOOLS_CONSUMER_GROUP);
        puller.setNamesrvAddr(reads.namesrv);
        puller.setInstanceName("reads-puller");
        puller.start();
        puller.getDefaultMQPullConsumerImpl().getPullAPIWrapper().setConnectBrokerByUser(true);
    }

    /** figures are those that depend on when they are asked for: right after the traffic. */
    void figures(String cluster) {
        for (String name : List.of("TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE")) {
            for (String topic : List.of(ReadsTraffic.TOPIC, ReadsTraffic.FIFO, ReadsTraffic.DELAY, ReadsTraffic.EMPTY, "SCHEDULE_TOPIC_XXXX",
                "%RETRY%" + ReadsTraffic.GROUP, "NoSuchTopic")) {
                stats(name, topic);
            }
        }
        for (String name : List.of("GROUP_GET_NUMS", "GROUP_GET_SIZE", "SNDBCK_PUT_NUMS", "DLQ_PUT_NUMS", "GROUP_ACK_NUMS", "GROUP_CK_NUMS")) {
            for (String group : List.of(ReadsTraffic.GROUP, ReadsTraffic.BROADCAST, ReadsTraffic.BEHIND, ReadsTraffic.NEVER)) {
                stats(name, ReadsTraffic.TOPIC + "@" + group);
            }
            stats(name, "%RETRY%" + ReadsTraffic.GROUP + "@" + ReadsTraffic.GROUP);
            stats(name, "%DLQ%" + ReadsTraffic.GROUP + "@" + ReadsTraffic.GROUP);
            stats(name, ReadsTraffic.FIFO + "@" + ReadsTraffic.ORDERLY);
        }
        for (String name : List.of("BROKER_PUT_NUMS", "BROKER_GET_NUMS", "BROKER_ACK_NUMS", "BROKER_CK_NUMS", "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC",
            "BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC", "BROKER_GET_FROM_DISK_NUMS", "BROKER_GET_FROM_DISK_SIZE", "NO_SUCH_NAME")) {
            stats(name, cluster);
            stats(name, "NoSuchCluster");
        }
        stats("GROUP_GET_LATENCY", "0@" + ReadsTraffic.TOPIC + "@" + ReadsTraffic.GROUP);
        stats("GROUP_GET_LATENCY", ReadsTraffic.TOPIC + "@" + ReadsTraffic.GROUP);
        stats("TOPIC_PUT_LATENCY", "0@" + ReadsTraffic.TOPIC);
        for (String name : List.of("QUEUE_PUT_NUMS", "QUEUE_PUT_SIZE")) {
            stats(name, ReadsTraffic.TOPIC + "@0");
        }
        for (String name : List.of("QUEUE_GET_NUMS", "QUEUE_GET_SIZE")) {
            stats(name, ReadsTraffic.TOPIC + "@0@" + ReadsTraffic.GROUP);
        }
        stats("CONSUMER_REGISTER_TIME", ReadsTraffic.GROUP);
        stats("PRODUCER_REGISTER_TIME", ReadsTraffic.PRODUCER);
        for (String event : List.of("CONNECT", "CLOSE", "IDLE", "EXCEPTION")) {
            stats("CHANNEL_ACTIVITY", event);
        }
    }

    private void stats(String name, String key) {
        reads.ask("exporter/viewBrokerStatsData " + name + " " + key, () -> reads.admin.viewBrokerStatsData(reads.broker, name, key));
    }

    /** runtime waits until there is a whole minute, of which some figures are. */
    void runtime() throws Exception {
        Env.until(90_000, "a minute of the broker's", () -> {
            try {
                return reads.admin.fetchBrokerRuntimeStats(reads.broker).getTable().get("putTps").split(" ").length > 1;
            } catch (Exception e) {
                return false;
            }
        });
        try {
            KVTable table = reads.admin.fetchBrokerRuntimeStats(reads.broker);
            List<String> lines = new ArrayList<>();
            new TreeMap<>(table.getTable()).forEach((k, v) ->
                lines.add(k.replaceFirst("^(commitLogDiskRatio_).*", "$1<path>") + " = " + (SETTLED.matcher(k).matches() ? v : shape(v))));
            reads.keep("exporter/fetchBrokerRuntimeStats", lines);
        } catch (Exception e) {
            reads.keep("exporter/fetchBrokerRuntimeStats", List.of("throws " + e));
        }
    }

    /** shape is a value with its numbers replaced by their kinds, and units by one of them: a parser reads one like another. */
    private String shape(String v) {
        return reads.view.plain(v).replaceAll("\\d+\\.\\d+(E-?\\d+)?", "<fraction>")
            .replaceAll("(?<![<~=])\\b\\d+\\b(?!m?s\\]|~)", "<number>").replaceAll("\\b([KMGTPE]i)?B\\b", "<unit>");
    }

    /** Groups by the topics that the exporter finds them with; the name of a topic is what a stock broker of this release adds to them. */
    private static final Map<String, List<String>> GROUPS = Map.of(
        ReadsTraffic.TOPIC, List.of(ReadsTraffic.GROUP, ReadsTraffic.BROADCAST, ReadsTraffic.BEHIND, ReadsTraffic.NEVER, "NoSuchGroup", ReadsTraffic.TOPIC),
        ReadsTraffic.FIFO, List.of(ReadsTraffic.ORDERLY),
        ReadsTraffic.EMPTY, List.of(ReadsTraffic.GROUP),
        "%RETRY%" + ReadsTraffic.GROUP, List.of(ReadsTraffic.GROUP, "%RETRY%" + ReadsTraffic.GROUP),
        "NoSuchTopic", List.of(ReadsTraffic.GROUP));

    /** tables are the rest of what the exporter asks. */
    void tables() {
        TopicList topics = reads.ask("exporter/fetchAllTopicList", () -> reads.admin.fetchAllTopicList());
        ClusterInfo cluster = reads.ask("exporter/examineBrokerClusterInfo", () -> reads.admin.examineBrokerClusterInfo());
        reads.ask("exporter/getAllProducerInfo", () -> reads.admin.getAllProducerInfo(
            cluster.getBrokerAddrTable().get("broker-a").getBrokerAddrs().get(MixAll.MASTER_ID)));
        Set<String> all = new TreeSet<>(topics.getTopicList());
        all.add("NoSuchTopic");
        Set<String> members = new TreeSet<>();
        for (String topic : all) {
            reads.ask("exporter/examineTopicStats " + topic, () -> reads.admin.examineTopicStats(topic));
            reads.ask("exporter/examineTopicRouteInfo " + topic, () -> reads.admin.examineTopicRouteInfo(topic));
            reads.ask("exporter/queryTopicConsumeByWho " + topic, () -> reads.admin.queryTopicConsumeByWho(topic));
            for (String group : GROUPS.getOrDefault(topic, List.of())) {
                if (members.add(group)) {
                    members(group);
                }
                lag(group, topic);
            }
        }
    }

    private void members(String group) {
        ConsumerConnection there = reads.ask("exporter/examineConsumerConnectionInfo " + group, () -> reads.admin.examineConsumerConnectionInfo(group));
        if (there != null) {
            for (Connection c : there.getConnectionSet()) {
                reads.ask("exporter/getConsumerRunningInfo " + group, () -> reads.admin.getConsumerRunningInfo(group, c.getClientId(), false));
            }
        }
        reads.ask("exporter/getConsumerRunningInfo of nobody in " + group, () -> reads.admin.getConsumerRunningInfo(group, "nobody", false));
    }

    /** lag asks how far a group is in a topic, and reads the messages that it would get next, as the exporter does to tell their age. */
    private void lag(String group, String topic) {
        String of = group + " " + topic;
        ConsumeStats stats = reads.ask("exporter/examineConsumeStats " + of, () -> reads.admin.examineConsumeStats(group, topic));
        if (stats == null) {
            return;
        }
        for (Map.Entry<MessageQueue, OffsetWrapper> e : new TreeMap<>(stats.getOffsetTable()).entrySet()) {
            String queue = of + " queue " + e.getKey().getQueueId();
            reads.ask("exporter/queryMsgByOffset " + queue, () -> puller.pull(e.getKey(), "*", e.getValue().getConsumerOffset(), 1));
            reads.ask("exporter/queryMsgByOffset beyond " + queue, () -> puller.pull(e.getKey(), "*", e.getValue().getBrokerOffset() + 5, 1));
        }
    }

    void close() {
        puller.shutdown();
    }
}
