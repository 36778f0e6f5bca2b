import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * LateMember is a consumer that has much to read of one pair, and next to nothing of it in its memory: it takes its time with each message, so that it
 * has something to read for as long as both of a pair need to restart, stock's too.
 */
final class LateMember {
    private static final long SLOW_MILLIS = 30;
    private static final int BATCHES = 80;
    private static final int EACH = 100;

    final Gap gap = new Gap();
    final PullLog pulls;
    private final Env env;
    private final String topic;
    private final String[] pair;
    private final AtomicInteger serial = new AtomicInteger();
    private DefaultMQPushConsumer consumer;

    LateMember(Env env, String master, String slave) {
        this.env = env;
        topic = env.topic + "-late";
        pair = new String[] {master, slave};
        pulls = new PullLog(topic, master, slave);
    }

    /** Stores what there is to read, and begins. */
    void start(int queues, int poll, long limit) throws Exception {
        DefaultMQAdminExt admin = env.admin();
        for (String addr : pair) {
            TopicConfig config = new TopicConfig(topic);
            config.setReadQueueNums(queues);
            config.setWriteQueueNums(queues);
            admin.createAndUpdateTopicConfig(addr, config);
        }
        DefaultMQProducer p = env.producer();
        AtomicInteger copied = new AtomicInteger();
        Env.until(limit, BATCHES + " batches that both brokers have", () -> {
            copied.addAndGet(stored(p) ? 1 : 0);
            return copied.get() >= BATCHES;
        });
        consumer = env.push(env.group + "-late", topic, "*", pulls);
        consumer.getDefaultMQPushConsumerImpl().setPullTimeDelayMillsWhenException(100);
        consumer.setPollNameServerInterval(poll);
        consumer.setHeartbeatBrokerInterval(poll);
        consumer.setConsumeThreadMin(1);
        consumer.setConsumeThreadMax(1);
        consumer.setPullBatchSize(1);
        consumer.setPullThresholdForQueue(1);
        consumer.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
            gap.event();
            try {
                Thread.sleep(SLOW_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    private boolean stored(DefaultMQProducer p) {
        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < EACH; i++) {
            batch.add(Env.message(topic, "T", "", "late " + serial.incrementAndGet()));
        }
        try {
            return p.send(batch).getSendStatus() == SendStatus.SEND_OK;
        } catch (Exception e) {
            return false;
        }
    }

    int taken() {
        return gap.events();
    }

    /** How much there still is to read, at least. */
    int left() {
        return BATCHES * EACH - taken();
    }

    void close() {
        consumer.shutdown();
    }
}
