import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** SendCases: every way of sending, each read back by a push consumer. */
final class SendCases {
    static void add(Suite suite) {
        suite.add("send-sync-properties", SendCases::syncProperties);
        suite.add("send-async", SendCases::async);
        suite.add("send-oneway", SendCases::oneway);
        suite.add("send-batch", SendCases::batch);
        suite.add("send-auto-topic", SendCases::autoTopic);
        suite.add("send-large-compressed", SendCases::largeCompressed);
        suite.add("send-refused", SendCases::refused);
        suite.add("send-order-one-queue", SendCases::orderOneQueue);
    }

    /** collect starts a concurrent push consumer that keeps every message it sees. */
    static List<MessageExt> collect(Env env, String group, String topic, String expression) throws Exception {
        List<MessageExt> seen = java.util.Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer c = env.push(group, topic, expression);
        c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            seen.addAll(msgs);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        return seen;
    }

    private static void syncProperties(Env env) throws Exception {
        env.createTopic(env.topic, 4);
        DefaultMQProducer p = env.producer();
        Message m = Env.message(env.topic, "TagA", "k1 k2", "grüße 你好");
        m.putUserProperty("colour", "blau");
        m.setFlag(77);
        SendResult r = Env.send(p, m);
        Env.check(r.getMsgId() != null && r.getOffsetMsgId() != null, "ids in the result");
        List<MessageExt> seen = collect(env, env.group, env.topic, "*");
        Env.until(Env.NEXT_LOOK_MILLIS, "one message", () -> seen.size() == 1);
        MessageExt got = seen.get(0);
        Env.equal("grüße 你好", Env.body(got), "body");
        Env.equal("TagA", got.getTags(), "tags");
        Env.equal("k1 k2", got.getKeys(), "keys");
        Env.equal("blau", got.getUserProperty("colour"), "property");
        Env.equal(77, got.getFlag(), "flag");
        Env.equal(r.getMsgId(), got.getMsgId(), "message id");
        Env.equal(r.getQueueOffset(), got.getQueueOffset(), "queue offset");
        Env.equal(r.getMessageQueue().getQueueId(), got.getQueueId(), "queue id");
        Env.equal("DefaultRegion", r.getRegionId(), "region");
    }

    private static void async(Env env) throws Exception {
        env.createTopic(env.topic, 4);
        DefaultMQProducer p = env.producer();
        int n = 500;
        CountDownLatch left = new CountDownLatch(n);
        AtomicReference<Throwable> bad = new AtomicReference<>();
        for (int i = 0; i < n; i++) {
            p.send(Env.message(env.topic, null, null, "a" + i), new SendCallback() {
                @Override public void onSuccess(SendResult r) {
                    left.countDown();
                }

                @Override public void onException(Throwable e) {
                    bad.set(e);
                    left.countDown();
                }
            });
        }
        Env.check(left.await(30, TimeUnit.SECONDS), "callbacks missing: " + left.getCount());
        Env.equal(null, bad.get(), "failed sends");
        List<MessageExt> seen = collect(env, env.group, env.topic, "*");
        Env.until(Env.NEXT_LOOK_MILLIS, n + " messages", () -> distinct(seen).size() == n);
    }

    static Set<String> distinct(List<MessageExt> seen) {
        Set<String> bodies = ConcurrentHashMap.newKeySet();
        synchronized (seen) {
            seen.forEach(m -> bodies.add(Env.body(m)));
        }
        return bodies;
    }

    private static void oneway(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        DefaultMQProducer p = env.producer();
        List<MessageExt> seen = collect(env, env.group, env.topic, "*");
        for (int i = 0; i < 100; i++) {
            p.sendOneway(Env.message(env.topic, null, null, "o" + i));
        }
        Env.until(Env.NEXT_LOOK_MILLIS, "100 messages", () -> distinct(seen).size() == 100);
    }

    private static void batch(Env env) throws Exception {
        env.createTopic(env.topic, 4);
        DefaultMQProducer p = env.producer();
        List<Message> items = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            Message m = Env.message(env.topic, "B", "batch" + i, "b" + i);
            m.putUserProperty("i", "" + i);
            items.add(m);
        }
        SendResult r = p.send(items);
        Env.equal(16, r.getOffsetMsgId().split(",").length, "offset ids");
        List<MessageExt> seen = collect(env, env.group, env.topic, "B");
        Env.until(Env.NEXT_LOOK_MILLIS, "16 messages", () -> seen.size() >= 16);
        Set<Long> offsets = ConcurrentHashMap.newKeySet();
        for (MessageExt m : seen) {
            Env.equal("b" + m.getUserProperty("i"), Env.body(m), "body of item");
            offsets.add(m.getQueueOffset());
        }
        Env.equal(16, offsets.size(), "offsets");
        Env.equal(r.getQueueOffset(), offsets.stream().min(Long::compare).get(), "first offset");
    }

    private static void autoTopic(Env env) throws Exception {
        DefaultMQProducer p = env.producer();
        Env.send(p, Env.message(env.topic, null, null, "first"));
        List<MessageQueue> queues = p.fetchPublishMessageQueues(env.topic);
        Env.equal(4, queues.size(), "queues of an auto-created topic");
        List<MessageExt> seen = collect(env, env.group, env.topic, "*");
        Env.until(Env.NEXT_LOOK_MILLIS, "the first message of a new topic", () -> seen.size() == 1);
    }

    private static void largeCompressed(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        p.setMaxMessageSize(4 << 20);
        StringBuilder text = new StringBuilder();
        while (text.length() < 200_000) {
            text.append("line ").append(text.length()).append('\n');
        }
        Env.send(p, Env.message(env.topic, null, null, text.toString()));
        byte[] raw = new byte[4 << 20];
        new java.util.Random(7).nextBytes(raw);
        p.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        Env.send(p, new Message(env.topic, raw));
        List<MessageExt> seen = collect(env, env.group, env.topic, "*");
        Env.until(Env.NEXT_LOOK_MILLIS, "two large messages", () -> seen.size() == 2);
        for (MessageExt m : seen) {
            if (m.getBody().length == raw.length) {
                Env.check(java.util.Arrays.equals(raw, m.getBody()), "4 MiB body");
            } else {
                Env.equal(text.toString(), Env.body(m), "compressed body");
            }
        }
    }

    private static void refused(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        p.setRetryTimesWhenSendFailed(0);
        try {
            p.send(Env.message("SCHEDULE_TOPIC_XXXX", null, null, "x"), new MessageQueue("SCHEDULE_TOPIC_XXXX", brokerName(p, env.topic), 0));
            throw new AssertionError("a send to SCHEDULE_TOPIC_XXXX was accepted");
        } catch (MQBrokerException e) {
            Env.equal(16, e.getResponseCode(), "code for a forbidden topic");
        } catch (MQClientException e) {
            Env.check(e.getErrorMessage() != null && e.getErrorMessage().contains("forbidden"), "client refusal: " + e);
        }
        try {
            p.send(Env.message(env.topic, null, null, "x"), new MessageQueue(env.topic, brokerName(p, env.topic), 99));
            throw new AssertionError("a send to queue 99 was accepted");
        } catch (MQBrokerException e) {
            Env.equal(29, e.getResponseCode(), "code for an illegal queue");
        }
    }

    static String brokerName(DefaultMQProducer p, String topic) throws Exception {
        return p.fetchPublishMessageQueues(topic).get(0).getBrokerName();
    }

    private static void orderOneQueue(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        MessageQueue q = p.fetchPublishMessageQueues(env.topic).get(0);
        AtomicInteger bad = new AtomicInteger();
        long last = -1;
        for (int i = 0; i < 300; i++) {
            SendResult r = Env.send(p, Env.message(env.topic, null, null, "" + i), q);
            if (r.getQueueOffset() != last + 1) {
                bad.incrementAndGet();
            }
            last = r.getQueueOffset();
        }
        Env.equal(0, bad.get(), "queue offsets out of sequence");
    }
}
