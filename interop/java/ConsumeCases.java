import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/** ConsumeCases: tags, order, broadcast, pull, lite pull, and where a new group begins. */
final class ConsumeCases {
    static void add(Suite suite) {
        suite.add("consume-tags", ConsumeCases::tags);
        suite.add("consume-orderly", ConsumeCases::orderly);
        suite.add("consume-broadcast", ConsumeCases::broadcast);
        suite.add("consume-pull", ConsumeCases::pull);
        suite.add("consume-litepull", ConsumeCases::litePull);
        suite.add("consume-start-first", ConsumeCases::startFirst);
        suite.add("consume-start-timestamp", ConsumeCases::startTimestamp);
        suite.add("consume-new-group-misses-nothing", ConsumeCases::newGroupEmptyQueue);
        suite.add("consume-longpoll-latency", ConsumeCases::longPollLatency);
    }

    private static void tags(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        DefaultMQProducer p = env.producer();
        String[] tags = {"TagA", "TagB", "Aa", "BB", "C*", null};
        for (int i = 0; i < 60; i++) {
            String tag = tags[i % tags.length];
            Env.send(p, Env.message(env.topic, tag, null, tag + "-" + i));
        }
        // Aa and BB have one Java hash: the client tells them apart.
        List<MessageExt> seen = SendCases.collect(env, env.group, env.topic, "TagA || Aa");
        Env.until(Env.NEXT_LOOK_MILLIS, "20 messages", () -> seen.size() >= 20);
        Thread.sleep(500);
        Env.equal(20, SendCases.distinct(seen).size(), "messages of TagA and Aa");
        for (MessageExt m : seen) {
            Env.check(m.getTags().equals("TagA") || m.getTags().equals("Aa"), "tag " + m.getTags());
        }
    }

    private static void orderly(Env env) throws Exception {
        env.createTopic(env.topic, 3);
        DefaultMQProducer p = env.producer();
        int n = 300;
        for (int i = 0; i < n; i++) {
            final int key = i;
            p.send(Env.message(env.topic, null, "k" + i, "" + i), (queues, m, arg) -> queues.get(key % queues.size()), null);
        }
        Map<Integer, List<Integer>> perQueue = new ConcurrentHashMap<>();
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.registerMessageListener((MessageListenerOrderly) (msgs, ctx) -> {
            for (MessageExt m : msgs) {
                perQueue.computeIfAbsent(m.getQueueId(), q -> Collections.synchronizedList(new ArrayList<>())).add(Integer.parseInt(Env.body(m)));
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        c.start();
        Env.until(Env.NEXT_LOOK_MILLIS, n + " ordered messages", () -> perQueue.values().stream().mapToInt(List::size).sum() >= n);
        for (List<Integer> got : perQueue.values()) {
            List<Integer> sorted = new ArrayList<>(got);
            Collections.sort(sorted);
            Env.equal(sorted, got, "order within a queue");
        }
    }

    private static void broadcast(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        List<Set<String>> members = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Set<String> seen = ConcurrentHashMap.newKeySet();
            members.add(seen);
            DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
            c.setMessageModel(MessageModel.BROADCASTING);
            c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
                msgs.forEach(m -> seen.add(Env.body(m)));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            c.start();
        }
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 40; i++) {
            Env.send(p, Env.message(env.topic, null, null, "b" + i));
        }
        for (Set<String> seen : members) {
            Env.until(Env.NEXT_LOOK_MILLIS, "40 messages at every member", () -> seen.size() == 40);
        }
    }

    @SuppressWarnings("deprecation")
    private static void pull(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 100; i++) {
            Env.send(p, Env.message(env.topic, i % 2 == 0 ? "even" : "odd", null, "" + i));
        }
        DefaultMQPullConsumer c = new DefaultMQPullConsumer(env.group);
        c.setNamesrvAddr(Env.NAMESRV);
        c.setInstanceName("pull-" + env.topic);
        c.start();
        env.keep(c::shutdown);
        MessageQueue q = c.fetchSubscribeMessageQueues(env.topic).iterator().next();
        Set<String> seen = new HashSet<>();
        long offset = c.minOffset(q);
        Env.equal(100L, c.maxOffset(q), "max offset");
        while (offset < 100) {
            PullResult r = c.pull(q, "even", offset, 10);
            Env.check(r.getNextBeginOffset() > offset, "the offset stands still at " + offset + " " + r.getPullStatus());
            offset = r.getNextBeginOffset();
            if (r.getPullStatus() == PullStatus.FOUND) {
                r.getMsgFoundList().forEach(m -> seen.add(Env.body(m)));
            }
        }
        Env.equal(50, seen.size(), "even messages");
        Env.equal(PullStatus.NO_NEW_MSG, c.pull(q, "*", 100, 10).getPullStatus(), "pull at the end");
        PullResult beyond = c.pull(q, "*", 1000, 10);
        Env.equal(PullStatus.OFFSET_ILLEGAL, beyond.getPullStatus(), "pull beyond the end");
        Env.equal(100L, beyond.getNextBeginOffset(), "corrected offset");
        c.getDefaultMQPullConsumerImpl().getOffsetStore().updateConsumeOffsetToBroker(q, 42, false);
        Env.until(5_000, "the committed offset", () -> {
            try {
                return c.fetchConsumeOffset(q, true) == 42;
            } catch (Exception e) {
                return false;
            }
        });
    }

    private static void litePull(Env env) throws Exception {
        env.createTopic(env.topic, 4);
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 200; i++) {
            Env.send(p, Env.message(env.topic, "t", null, "" + i));
        }
        DefaultLitePullConsumer c = new DefaultLitePullConsumer(env.group);
        c.setNamesrvAddr(Env.NAMESRV);
        c.setInstanceName("lite-" + env.topic);
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        c.subscribe(env.topic, "*");
        c.setAutoCommit(false);
        c.start();
        env.keep(c::shutdown);
        Set<String> seen = new HashSet<>();
        long deadline = System.currentTimeMillis() + Env.NEXT_LOOK_MILLIS;
        while (seen.size() < 200 && System.currentTimeMillis() < deadline) {
            c.poll(1000).forEach(m -> seen.add(Env.body(m)));
        }
        Env.equal(200, seen.size(), "polled messages");
        c.commitSync();
        Map<Integer, Long> committed = new HashMap<>();
        for (MessageQueue q : c.fetchMessageQueues(env.topic)) {
            committed.put(q.getQueueId(), c.committed(q));
        }
        Env.equal(200L, committed.values().stream().mapToLong(Long::longValue).sum(), "committed offsets");
    }

    private static void startFirst(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 50; i++) {
            Env.send(p, Env.message(env.topic, null, null, "" + i));
        }
        List<MessageExt> seen = SendCases.collect(env, env.group, env.topic, "*");
        Env.until(Env.NEXT_LOOK_MILLIS, "50 messages from the first", () -> SendCases.distinct(seen).size() == 50);
    }

    private static void startTimestamp(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 50; i++) {
            Env.send(p, Env.message(env.topic, null, null, "" + i));
        }
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_TIMESTAMP);
        c.setConsumeTimestamp("20200101000000");
        Set<String> seen = ConcurrentHashMap.newKeySet();
        c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            msgs.forEach(m -> seen.add(Env.body(m)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        Env.until(Env.NEXT_LOOK_MILLIS, "50 messages since 2020", () -> seen.size() == 50);
    }

    /** A group that starts on an empty queue sees the first message even when it is sent before its first pull. */
    private static void newGroupEmptyQueue(Env env) throws Exception {
        env.createTopic(env.topic, 4);
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        Set<String> seen = ConcurrentHashMap.newKeySet();
        c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            msgs.forEach(m -> seen.add(Env.body(m)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 40; i++) {
            Env.send(p, Env.message(env.topic, null, null, "" + i));
        }
        Env.until(Env.NEXT_LOOK_MILLIS, "40 messages", () -> seen.size() == 40);
    }

    private static void longPollLatency(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        List<Long> late = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            long now = System.currentTimeMillis();
            msgs.forEach(m -> late.add(now - m.getBornTimestamp()));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        DefaultMQProducer p = env.producer();
        Env.send(p, Env.message(env.topic, null, null, "warm"));
        Env.until(Env.NEXT_LOOK_MILLIS, "the first message", () -> late.size() == 1);
        for (int i = 0; i < 20; i++) {
            Env.send(p, Env.message(env.topic, null, null, "" + i));
            Thread.sleep(100);
        }
        Env.until(20_000, "21 messages", () -> late.size() == 21);
        List<Long> sorted = new ArrayList<>(late.subList(1, 21));
        Collections.sort(sorted);
        Env.check(sorted.get(10) < 500, "median delivery took " + sorted.get(10) + " ms: the held pull is not woken");
    }
}
