import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.impl.MQAdminImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.topic.TopicValidator;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;

/** DashboardReads asks what the pages of rocketmq-dashboard 2.1 ask, as its services do; what they change comes last. */
final class DashboardReads {
    private static final int MOST = 64; // messages that the dashboard has a look-up by key bring

    private final Reads reads;
    private final ReadsTraffic traffic;
    private final DefaultMQPullConsumer puller;

    DashboardReads(Reads reads, ReadsTraffic traffic) throws Exception {
        this.reads = reads;
        this.traffic = traffic;
        puller = new DefaultMQPullConsumer(MixAll.TOOLS_CONSUMER_GROUP);
        puller.setNamesrvAddr(reads.namesrv);
        puller.setInstanceName("reads-dashboard");
        puller.start();
    }

    void pages() {
        cluster();
        topics();
        groups();
        messages();
        deadLetters();
    }

    private void cluster() {
        reads.ask("dashboard/fetchBrokerRuntimeStats of nobody", () -> reads.admin.fetchBrokerRuntimeStats("127.0.0.1:9"));
        try {
            List<String> lines = new ArrayList<>();
            new TreeMap<>(reads.admin.getBrokerConfig(reads.broker)).forEach((k, v) -> lines.add(k + " = " + setting(String.valueOf(k), String.valueOf(v))));
            reads.keep("dashboard/getBrokerConfig", lines);
        } catch (Exception e) {
            reads.keep("dashboard/getBrokerConfig", List.of("throws " + e));
        }
    }

    /** setting has ports by how far they are from the broker's own. */
    private String setting(String key, String value) {
        if (!key.endsWith("Port") || !value.matches("\\d+")) {
            return reads.view.plain(value);
        }
        int off = Integer.parseInt(value) - Integer.parseInt(reads.broker.substring(reads.broker.lastIndexOf(':') + 1));
        return Math.abs(off) > 10 ? value : "<broker's> + " + off;
    }

    private void topics() {
        reads.ask("dashboard/getAllTopicConfig", () -> reads.admin.getAllTopicConfig(reads.broker, 10_000L));
        reads.ask("dashboard/getSystemTopicList", () ->
            traffic.producer.getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl().getSystemTopicList(20_000L));
        for (String topic : List.of(ReadsTraffic.TOPIC, ReadsTraffic.FIFO, "%RETRY%" + ReadsTraffic.GROUP, "%DLQ%" + ReadsTraffic.GROUP,
            "SCHEDULE_TOPIC_XXXX", "NoSuchTopic")) {
            reads.ask("dashboard/examineTopicConfig " + topic, () -> reads.admin.examineTopicConfig(reads.broker, topic));
        }
        for (String topic : List.of(ReadsTraffic.TOPIC, "%RETRY%" + ReadsTraffic.GROUP, "NoSuchTopic")) {
            reads.ask("dashboard/getTopicClusterList " + topic, () -> reads.admin.getTopicClusterList(topic));
        }
    }

    private void groups() {
        reads.ask("dashboard/getAllSubscriptionGroup", () -> reads.admin.getAllSubscriptionGroup(reads.broker, 30_000L));
        for (String group : List.of(ReadsTraffic.GROUP, ReadsTraffic.ORDERLY, ReadsTraffic.BROADCAST, ReadsTraffic.BEHIND, ReadsTraffic.NEVER, "NoSuchGroup")) {
            reads.ask("dashboard/examineConsumeStats " + group, () -> reads.admin.examineConsumeStats(group));
            reads.ask("dashboard/examineConsumeStats at the broker " + group, () -> reads.admin.examineConsumeStats(reads.broker, group, null, 3000));
            reads.ask("dashboard/examineConsumerConnectionInfo at the broker " + group, () -> reads.admin.examineConsumerConnectionInfo(group, reads.broker));
        }
        reads.ask("dashboard/getConsumerRunningInfo with stacks", () -> {
            String client = reads.admin.examineConsumerConnectionInfo(ReadsTraffic.GROUP).getConnectionSet().iterator().next().getClientId();
            return reads.admin.getConsumerRunningInfo(ReadsTraffic.GROUP, client, true);
        });
        reads.ask("dashboard/examineProducerConnectionInfo", () -> reads.admin.examineProducerConnectionInfo(ReadsTraffic.PRODUCER, ReadsTraffic.TOPIC));
        reads.ask("dashboard/examineProducerConnectionInfo of nobody", () -> reads.admin.examineProducerConnectionInfo("NoSuchProducer", ReadsTraffic.TOPIC));
        reads.ask("dashboard/examineProducerConnectionInfo of no topic", () -> reads.admin.examineProducerConnectionInfo(ReadsTraffic.PRODUCER, "NoSuchTopic"));
    }

    private void messages() {
        byTime(ReadsTraffic.TOPIC);
        byTime(ReadsTraffic.EMPTY);
        byKey("of one", ReadsTraffic.TOPIC, "key004");
        byKey("given back", ReadsTraffic.TOPIC, "key003");
        byKey("of none", ReadsTraffic.TOPIC, "no-such-key");
        byKey("of no topic", "NoSuchTopic", "key004");
        MessageExt m = byId("one", ReadsTraffic.TOPIC, traffic.ids.get(4));
        byId("none", ReadsTraffic.TOPIC, "0A000001000000000000000000000000");
        reads.ask("dashboard/messageTrackDetail", () -> reads.admin.messageTrackDetail(m));
        MessageExt late = byId("one that nobody behind has seen", ReadsTraffic.TOPIC, traffic.ids.get(traffic.ids.size() - 1));
        reads.ask("dashboard/messageTrackDetail of the last", () -> reads.admin.messageTrackDetail(late));
    }

    /** byTime reads a topic between two times, queue by queue, as the page of messages does. */
    private void byTime(String topic) {
        long begin = System.currentTimeMillis() - 3_600_000;
        long end = System.currentTimeMillis() + 1000;
        Set<MessageQueue> queues = reads.ask("dashboard/fetchSubscribeMessageQueues " + topic, () -> puller.fetchSubscribeMessageQueues(topic));
        for (MessageQueue q : queues) {
            String at = topic + " " + q.getQueueId();
            reads.ask("dashboard/searchOffset begin " + at, () -> puller.searchOffset(q, begin));
            reads.ask("dashboard/searchOffset end " + at, () -> puller.searchOffset(q, end));
            reads.ask("dashboard/pull " + at, () -> puller.pull(q, "*", 0, 32));
            reads.ask("dashboard/pull a page " + at, () -> puller.pull(q, "*", 2, 3));
            reads.ask("dashboard/pull of nothing " + at, () -> puller.pull(q, "*", 1000, 32));
        }
    }

    private void byKey(String name, String topic, String key) {
        reads.ask("dashboard/queryMessage " + name, () -> reads.admin.queryMessage(topic, key, MOST, 0, System.currentTimeMillis()).getMessageList());
    }

    /** byId asks for a unique id at all times, as the dashboard does through a method that is not public. */
    private MessageExt byId(String name, String topic, String id) {
        List<MessageExt> found = reads.ask("dashboard/viewMessage " + name, () -> {
            MQAdminImpl admin = traffic.producer.getDefaultMQProducerImpl().getMqClientFactory().getMQAdminImpl();
            var query = MQAdminImpl.class.getDeclaredMethod("queryMessage", String.class, String.class, String.class, int.class, long.class, long.class, boolean.class);
            query.setAccessible(true);
            try {
                return ((QueryResult) query.invoke(admin, "DefaultCluster", topic, id, 32, 0L, Long.MAX_VALUE, true)).getMessageList();
            } catch (java.lang.reflect.InvocationTargetException e) {
                throw (Exception) e.getCause();
            }
        });
        return found == null || found.isEmpty() ? null : found.get(0);
    }

    private void deadLetters() {
        String topic = "%DLQ%" + ReadsTraffic.GROUP;
        reads.ask("dashboard/examineTopicRouteInfo " + topic, () -> reads.admin.examineTopicRouteInfo(topic));
        reads.ask("dashboard/examineTopicRouteInfo of no dead letters", () -> reads.admin.examineTopicRouteInfo("%DLQ%" + ReadsTraffic.NEVER));
        reads.ask("dashboard/pull dead letters", () -> puller.pull(new MessageQueue(topic, "broker-a", 0), "*", 0, 32));
        byKey("a dead letter", topic, "key005");
    }

    /** changes are the dashboard's actions. */
    void changes() throws Exception {
        TopicConfig topic = new TopicConfig("ReadsMade");
        topic.setReadQueueNums(1);
        topic.setWriteQueueNums(1);
        topic.setAttributes(Map.of("+message.type", "NORMAL"));
        done("createAndUpdateTopicConfig", () -> reads.admin.createAndUpdateTopicConfig(reads.broker, topic));
        TopicConfig wrong = new TopicConfig("Reads Wrong");
        done("createAndUpdateTopicConfig of a wrong name", () -> reads.admin.createAndUpdateTopicConfig(reads.broker, wrong));
        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName("ReadsMadeGroup");
        done("createAndUpdateSubscriptionGroupConfig", () -> reads.admin.createAndUpdateSubscriptionGroupConfig(reads.broker, group));
        Env.until(10_000, "route of ReadsMade", () -> {
            try {
                return reads.admin.examineTopicRouteInfo("ReadsMade") != null;
            } catch (Exception e) {
                return false;
            }
        });
        test(false);
        test(true);
        reads.ask("dashboard/examineTopicConfig made", () -> reads.admin.examineTopicConfig(reads.broker, "ReadsMade"));
        reads.ask("dashboard/resetOffsetByTimestamp", () -> reads.admin.resetOffsetByTimestamp(ReadsTraffic.TOPIC, ReadsTraffic.GROUP, System.currentTimeMillis(), true));
        reads.ask("dashboard/resetOffsetByTimestamp of a group that is gone", () ->
            reads.admin.resetOffsetByTimestamp(ReadsTraffic.TOPIC, ReadsTraffic.BEHIND, 0, true));
        reads.ask("dashboard/resetOffsetByTimestampOld of a group that is gone", () ->
            reads.admin.resetOffsetByTimestampOld(ReadsTraffic.BEHIND, ReadsTraffic.TOPIC, 0, true));
        reads.ask("dashboard/resetOffsetByTimestampOld to the end", () -> reads.admin.resetOffsetByTimestampOld(ReadsTraffic.BEHIND, ReadsTraffic.TOPIC, -1, true));
        reads.ask("dashboard/consumeMessageDirectly", () -> {
            String client = reads.admin.examineConsumerConnectionInfo(ReadsTraffic.GROUP).getConnectionSet().iterator().next().getClientId();
            return reads.admin.consumeMessageDirectly(ReadsTraffic.GROUP, client, ReadsTraffic.TOPIC, traffic.ids.get(4));
        });
        reads.ask("dashboard/consumeMessageDirectly by nobody", () ->
            reads.admin.consumeMessageDirectly(ReadsTraffic.GROUP, "nobody", ReadsTraffic.TOPIC, traffic.ids.get(4)));
        done("deleteSubscriptionGroup", () -> reads.admin.deleteSubscriptionGroup(reads.broker, "ReadsMadeGroup", true));
        done("deleteTopicInBroker", () -> reads.admin.deleteTopicInBroker(Set.of(reads.broker), "ReadsMade"));
        done("deleteTopicInNameServer", () -> reads.admin.deleteTopicInNameServer(Set.of(reads.namesrv), "ReadsMade"));
        reads.ask("dashboard/examineTopicRouteInfo deleted", () -> reads.admin.examineTopicRouteInfo("ReadsMade"));
    }

    private interface Action {
        void run() throws Exception;
    }

    private void done(String name, Action action) {
        reads.ask("dashboard/" + name, () -> {
            action.run();
            return "done";
        });
    }

    /** test sends a message as the page of topics does, and looks at its trace where one is left. */
    private void test(boolean traced) throws Exception {
        DefaultMQProducer p = new DefaultMQProducer(MixAll.SELF_TEST_PRODUCER_GROUP, null, traced, TopicValidator.RMQ_SYS_TRACE_TOPIC);
        p.setNamesrvAddr(reads.namesrv);
        p.setInstanceName("reads-test-" + traced);
        p.start();
        SendResult r = reads.ask("dashboard/sendTopicMessage" + (traced ? " traced" : ""), () -> p.send(new Message("ReadsMade", "tag", "made", "test".getBytes())));
        if (traced) {
            Env.until(20_000, "a trace", () -> !trace(r.getMsgId()).isEmpty());
            List<MessageExt> found = trace(r.getMsgId());
            // What the trace says has times of the client's in it.
            reads.keep("dashboard/trace", List.of(found.size() + " of " + found.get(0).getTopic() + ": " + new String(found.get(0).getBody()).split("\u0001")[0]));
        }
        p.shutdown();
    }

    private List<MessageExt> trace(String id) {
        try {
            return reads.admin.queryMessage(TopicValidator.RMQ_SYS_TRACE_TOPIC, id, MOST, 0, System.currentTimeMillis() + 1000).getMessageList();
        } catch (Exception e) {
            return List.of();
        }
    }

    void close() {
        puller.shutdown();
    }
}
