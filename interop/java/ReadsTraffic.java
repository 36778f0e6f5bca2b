import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * ReadsTraffic brings a broker into a state that is the same at every run: topics of each type, groups that are online, behind, gone and
 * never there, messages given back, dead letters and delayed ones. Clients of it stay connected until it is closed.
 */
final class ReadsTraffic implements AutoCloseable {
    static final String TOPIC = "ReadsTopic";
    static final String FIFO = "ReadsFifo";
    static final String DELAY = "ReadsDelay";
    static final String EMPTY = "ReadsEmpty";
    static final String GROUP = "ReadsGroup";
    static final String ORDERLY = "ReadsOrderly";
    static final String BROADCAST = "ReadsBroadcast";
    static final String BEHIND = "ReadsBehind";
    static final String NEVER = "ReadsNever";
    static final String PRODUCER = "ReadsProducer";
    /** Messages to TOPIC in a round: one of them is consumed at the second try, one becomes a dead letter. */
    static final int EACH_ROUND = 10;
    private static final int RETRIED = 3;
    private static final int GIVEN_UP = 5;

    final DefaultMQProducer producer;
    /** Unique ids of messages to TOPIC, in the order of sending. */
    final List<String> ids = new ArrayList<>();
    private final String namesrv;
    private final List<DefaultMQPushConsumer> consumers = new ArrayList<>();
    private final Map<String, AtomicInteger> consumed = new ConcurrentHashMap<>();
    private DefaultMQPushConsumer behind;
    private int rounds;

    ReadsTraffic(DefaultMQAdminExt admin, String namesrv, String broker) throws Exception {
        this.namesrv = namesrv;
        topic(admin, broker, TOPIC, 2, "NORMAL");
        topic(admin, broker, FIFO, 1, "FIFO");
        topic(admin, broker, DELAY, 1, "DELAY");
        topic(admin, broker, EMPTY, 3, "UNSPECIFIED");
        for (String group : List.of(GROUP, ORDERLY, BROADCAST, BEHIND, NEVER)) {
            SubscriptionGroupConfig config = new SubscriptionGroupConfig();
            config.setGroupName(group);
            config.setConsumeMessageOrderly(group.equals(ORDERLY));
            config.setConsumeBroadcastEnable(true);
            admin.createAndUpdateSubscriptionGroupConfig(broker, config);
        }
        for (String topic : List.of(TOPIC, FIFO, DELAY, EMPTY)) {
            Env.until(10_000, "route of " + topic, () -> routed(admin, topic));
        }
        producer = new DefaultMQProducer(PRODUCER);
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("reads-producer");
        producer.setSendMsgTimeout(10_000);
        producer.start();
    }

    private static void topic(DefaultMQAdminExt admin, String broker, String name, int queues, String type) throws Exception {
        TopicConfig config = new TopicConfig(name);
        config.setReadQueueNums(queues);
        config.setWriteQueueNums(queues);
        config.setAttributes(Map.of("+message.type", type));
        admin.createAndUpdateTopicConfig(broker, config);
    }

    private static boolean routed(DefaultMQAdminExt admin, String topic) {
        try {
            return !admin.examineTopicRouteInfo(topic).getQueueDatas().isEmpty();
        } catch (Exception e) {
            return false;
        }
    }

    private DefaultMQPushConsumer consumer(String group, String topic) throws Exception {
        DefaultMQPushConsumer c = new DefaultMQPushConsumer(group);
        c.setNamesrvAddr(namesrv);
        c.setInstanceName("reads-" + group);
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        c.setPersistConsumerOffsetInterval(500);
        c.subscribe(topic, "*");
        consumed.put(group, new AtomicInteger());
        return c;
    }

    private ConsumeConcurrentlyStatus take(String group, List<MessageExt> messages, ConsumeConcurrentlyContext context) {
        for (MessageExt m : messages) {
            int n = Integer.parseInt(m.getKeys().substring(3)) % EACH_ROUND;
            if (group.equals(GROUP) && m.getReconsumeTimes() == 0 && (n == RETRIED || n == GIVEN_UP)) {
                context.setDelayLevelWhenNextConsume(n == RETRIED ? 1 : -1);
                return ConsumeConcurrentlyStatus.RECONSUME_LATER;
            }
            consumed.get(group).incrementAndGet();
        }
        return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    }

    /** connect starts the consumers. */
    void connect() throws Exception {
        for (String group : List.of(GROUP, BROADCAST, BEHIND)) {
            DefaultMQPushConsumer c = consumer(group, TOPIC);
            c.setMessageModel(group.equals(BROADCAST) ? MessageModel.BROADCASTING : MessageModel.CLUSTERING);
            c.registerMessageListener((MessageListenerConcurrently) (messages, context) -> take(group, messages, context));
            c.start();
            consumers.add(c);
            behind = c;
        }
        DefaultMQPushConsumer orderly = consumer(ORDERLY, FIFO);
        orderly.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            consumed.get(ORDERLY).addAndGet(messages.size());
            return ConsumeOrderlyStatus.SUCCESS;
        });
        orderly.start();
        consumers.add(orderly);
        for (DefaultMQPushConsumer c : consumers) {
            if (c.getMessageModel() == MessageModel.CLUSTERING) {
                takeRetries(c);
            }
        }
    }

    /** The topic of what is given back comes into being with the first heartbeat: a client that looked before looks again 30 s later. */
    private static void takeRetries(DefaultMQPushConsumer c) throws Exception {
        String topic = MixAll.getRetryTopic(c.getConsumerGroup());
        Env.until(30_000, "queue of " + topic, () -> {
            c.getDefaultMQPushConsumerImpl().getmQClientFactory().updateTopicRouteInfoFromNameServer(topic);
            c.getDefaultMQPushConsumerImpl().getmQClientFactory().doRebalance();
            return c.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream().anyMatch(q -> q.getTopic().equals(topic));
        });
    }

    /** leave ends the group that falls behind with the next round. */
    void leave() {
        consumers.remove(behind);
        behind.shutdown();
        behind = null;
    }

    /** round sends, and waits until the groups that are there have consumed. What is to be consumed two hours later remains. */
    void round() throws Exception {
        List<MessageQueue> queues = producer.fetchPublishMessageQueues(TOPIC);
        queues.sort(null);
        for (int i = 0; i < EACH_ROUND; i++) {
            int n = rounds * EACH_ROUND + i;
            SendResult r = producer.send(message(TOPIC, n), queues.get(i % queues.size()));
            ids.add(r.getMsgId());
            if (i < 4) {
                producer.send(message(FIFO, n), new MessageQueue(FIFO, "broker-a", 0));
            }
        }
        Message soon = message(DELAY, 0);
        soon.setDelayTimeLevel(1);
        producer.send(soon);
        Message late = message(DELAY, 1);
        late.setDelayTimeLevel(18);
        producer.send(late);
        rounds++;
        await(GROUP, rounds * (EACH_ROUND - 1));
        await(BROADCAST, rounds * EACH_ROUND);
        await(ORDERLY, rounds * 4);
        if (behind != null) {
            await(BEHIND, rounds * EACH_ROUND);
        }
        for (DefaultMQPushConsumer c : consumers) {
            c.getDefaultMQPushConsumerImpl().persistConsumerOffset();
        }
    }

    private void await(String group, int messages) throws Exception {
        Env.until(60_000, messages + " messages consumed by " + group, () -> consumed.get(group).get() >= messages);
    }

    private static Message message(String topic, int n) {
        return new Message(topic, n % 2 == 0 ? "even" : "odd", String.format("key%03d", n), String.format("body %03d", n).getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void close() {
        for (DefaultMQPushConsumer c : consumers) {
            c.shutdown();
        }
        producer.shutdown();
    }
}
