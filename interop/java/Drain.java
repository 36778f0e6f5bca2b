import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.constant.PermName;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.admin.OffsetWrapper;
import org.apache.rocketmq.remoting.protocol.route.QueueData;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * Drain sends to a topic that two brokers have and consumes it, with a stock producer and a stock consumer, while the control program drains, stops
 * and starts one of the two. Each phase prints a PASS or FAIL line; the last line is "N passed, N failed".
 *
 * Addresses: -Dnamesrv, -Dbrokers (broker-a, which is drained, and broker-b, with a comma between them), -Dcontrol. -Dpoll: milliseconds between
 * two looks of a client at the route.
 */
public final class Drain {
    private static final String DRAINED = "broker-a";
    private static final String OTHER = "broker-b";
    private static final int POLL_MILLIS = Integer.getInteger("poll", 3_000);
    private static final int QUEUES = 4; // of each broker
    private static final int OPEN = PermName.PERM_READ | PermName.PERM_WRITE;
    private static final int NOT_LISTED = 0;
    private static final long BETWEEN_SENDS_NANOS = 10_000_000;
    private static final int COMMIT_MILLIS = 500;
    /** What a member was given so shortly before it lost a queue may not be committed: a commit waits for the next turn, and for its answer. */
    private static final long IN_HAND_MILLIS = 3_000;
    private static final long LIMIT_MILLIS = Env.NEXT_LOOK_MILLIS;

    private record Delivery(String body, MessageQueue queue, long nanos) { }

    private record Loss(MessageQueue queue, long nanos) { }

    private final Env env = new Env("drain");
    private final AtomicBoolean stop = new AtomicBoolean();
    private final Map<String, String> acked = new ConcurrentHashMap<>(); // body to broker name
    private final Map<String, AtomicInteger> sent = new ConcurrentHashMap<>(); // by broker name
    private final Map<String, AtomicInteger> got = new ConcurrentHashMap<>();
    private final Queue<String> wrong = new ConcurrentLinkedQueue<>(); // sends that failed, or were not answered SEND_OK
    private final Map<String, Delivery> first = new ConcurrentHashMap<>(); // by body
    private final Queue<Delivery> again = new ConcurrentLinkedQueue<>();
    private final Queue<Loss> losses = new ConcurrentLinkedQueue<>(); // queues that the consumer had to give up
    private volatile Set<MessageQueue> mine = Set.of(); // queues that the consumer has
    private DefaultMQAdminExt admin;
    private Thread producing;
    private int passed;
    private int failed;

    private interface Phase {
        String run() throws Exception;
    }

    private boolean phase(String name, Phase p) {
        try {
            System.out.printf("PASS drain/%s (%s)%n", name, p.run());
            passed++;
            return true;
        } catch (Throwable e) {
            System.out.printf("FAIL drain/%s: %s; sent %s, delivered %s, failed sends %d%n", name, e, sent, got, wrong.size());
            e.printStackTrace();
            failed++;
            return false;
        }
    }

    private static void add(Map<String, AtomicInteger> m, String key) {
        m.computeIfAbsent(key, k -> new AtomicInteger()).incrementAndGet();
    }

    private static int count(Map<String, AtomicInteger> m, String broker) {
        AtomicInteger n = m.get(broker);
        return n == null ? 0 : n.get();
    }

    private static long since(long nanos) {
        return (System.nanoTime() - nanos) / 1_000_000;
    }

    /** The permission that the route gives a broker's queues; NOT_LISTED where it has none of them, -1 where nobody answers. */
    private int permission(String broker) {
        try {
            return admin.examineTopicRouteInfo(env.topic).getQueueDatas().stream().filter(q -> q.getBrokerName().equals(broker))
                .mapToInt(QueueData::getPerm).findFirst().orElse(NOT_LISTED);
        } catch (Exception e) {
            return -1;
        }
    }

    private void start() throws Exception {
        admin = env.admin();
        for (String addr : System.getProperty("brokers").split(",")) {
            TopicConfig config = new TopicConfig(env.topic);
            config.setReadQueueNums(QUEUES);
            config.setWriteQueueNums(QUEUES);
            admin.createAndUpdateTopicConfig(addr, config);
        }
        Env.until(LIMIT_MILLIS, "both brokers in the route", () -> permission(DRAINED) == OPEN && permission(OTHER) == OPEN);
        consume();
        DefaultMQProducer p = new DefaultMQProducer("P-" + env.name);
        p.setNamesrvAddr(Env.NAMESRV);
        p.setPollNameServerInterval(POLL_MILLIS);
        p.setSendMsgTimeout(10_000);
        p.setRetryTimesWhenSendFailed(0); // a send that fails is not to be hidden by one more
        p.start();
        env.keep(p::shutdown);
        producing = new Thread(() -> produce(p), "producer");
        producing.start();
    }

    private void consume() throws Exception {
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.setPollNameServerInterval(POLL_MILLIS);
        c.setPersistConsumerOffsetInterval(COMMIT_MILLIS);
        c.setMessageQueueListener((topic, all, now) -> {
            if (topic.equals(env.topic)) {
                holds(now);
            }
        });
        c.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
            for (MessageExt m : msgs) {
                Delivery d = new Delivery(Env.body(m), new MessageQueue(m.getTopic(), m.getBrokerName(), m.getQueueId()), System.nanoTime());
                if (first.putIfAbsent(d.body(), d) != null) {
                    again.add(d);
                }
                add(got, m.getBrokerName());
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
    }

    /** Notes which queues the consumer has from now on, and which it has lost. */
    private synchronized void holds(Set<MessageQueue> now) {
        long moment = System.nanoTime();
        mine.stream().filter(q -> !now.contains(q)).forEach(q -> losses.add(new Loss(q, moment)));
        mine = Set.copyOf(now);
    }

    /** Sends at a steady rate; after a send that took long the next ones follow at once, until they are where they should be. */
    private void produce(DefaultMQProducer p) {
        long next = System.nanoTime();
        for (int i = 0; !stop.get(); i++) {
            String body = "drain " + i;
            try {
                SendResult r = p.send(Env.message(env.topic, "T", "", body));
                if (r.getSendStatus() == SendStatus.SEND_OK) {
                    acked.put(body, r.getMessageQueue().getBrokerName());
                    add(sent, r.getMessageQueue().getBrokerName());
                } else {
                    wrong.add(body + ": " + r.getSendStatus());
                }
            } catch (Exception e) {
                wrong.add(body + ": " + e);
            }
            next += BETWEEN_SENDS_NANOS;
            LockSupport.parkNanos(next - System.nanoTime());
        }
    }

    /** More is sent to a broker, and delivered from it. */
    private void flows(String broker) throws Exception {
        int s = count(sent, broker);
        int g = count(got, broker);
        Env.until(LIMIT_MILLIS, "50 sends to " + broker, () -> count(sent, broker) >= s + 50);
        Env.until(LIMIT_MILLIS, "50 deliveries of " + broker, () -> count(got, broker) >= g + 50);
    }

    /** A client begins to commit after ten seconds: a group without any progress is none that a drain waits for. */
    private String bothServe() throws Exception {
        flows(DRAINED);
        flows(OTHER);
        Env.until(LIMIT_MILLIS, "progress in all queues", this::committed);
        return "sends to both, deliveries of both, and both know how far the group is";
    }

    private boolean committed() {
        int queues = 0;
        try {
            for (String addr : System.getProperty("brokers").split(",")) {
                for (OffsetWrapper w : admin.examineConsumeStats(addr, env.group, env.topic, 5_000).getOffsetTable().values()) {
                    queues += w.getConsumerOffset() > 0 ? 1 : 0;
                }
            }
        } catch (Exception e) {
            return false;
        }
        return queues == 2 * QUEUES;
    }

    /** Drains: then the broker gets nothing more, and has nothing that was not delivered, while the other one goes on. */
    private String drained() throws Exception {
        long ordered = System.nanoTime();
        Env.control("drain");
        long took = since(ordered);
        int before = count(sent, DRAINED);
        List<String> left = new ArrayList<>();
        acked.forEach((body, broker) -> {
            if (broker.equals(DRAINED) && !first.containsKey(body)) {
                left.add(body);
            }
        });
        Env.check(left.isEmpty(), left.size() + " messages of a drained broker were not delivered");
        Env.equal(PermName.PERM_READ, permission(DRAINED), "the permission of a drained broker");
        flows(OTHER);
        Env.equal(before, count(sent, DRAINED), "messages that a drained broker has stored");
        return "after " + took + " ms, with " + before + " messages stored there and delivered";
    }

    /** Nothing is heard of the stopped broker until the consumer has given its queues up, as it does when a stop takes its time. */
    private String stopped() throws Exception {
        int before = count(sent, DRAINED);
        Env.control("stop");
        Env.until(LIMIT_MILLIS, "a route without the broker", () -> permission(DRAINED) == NOT_LISTED);
        Env.until(LIMIT_MILLIS, "a consumer without the broker's queues", () -> mine.size() == QUEUES);
        flows(OTHER);
        Env.equal(before, count(sent, DRAINED), "messages that a stopped broker has stored");
        return "in order; sends and deliveries of " + OTHER + " went on";
    }

    /** It has its write permission back without an undrain. */
    private String started() throws Exception {
        Env.control("start");
        long ready = System.nanoTime();
        Env.until(LIMIT_MILLIS, "the write permission of a started broker", () -> permission(DRAINED) == OPEN);
        flows(DRAINED);
        flows(OTHER);
        return "it stores and delivers " + since(ready) + " ms after it was ready, without an undrain";
    }

    private String undrained() throws Exception {
        Env.control("undrain");
        long given = System.nanoTime();
        Env.equal(OPEN, permission(DRAINED), "the permission after undrain");
        flows(DRAINED);
        return "it stores and delivers " + since(given) + " ms after it was taken into use";
    }

    private String noSendFailed() throws Exception {
        stop.set(true);
        producing.join();
        Env.check(wrong.isEmpty(), wrong.size() + " sends failed, first " + wrong.peek());
        Env.check(acked.size() > 0, "nothing was sent");
        return acked.size() + " sends, none was tried twice; to each broker " + sent;
    }

    private String nothingLost() throws Exception {
        try {
            Env.until(LIMIT_MILLIS, "every acknowledged message", () -> first.keySet().containsAll(acked.keySet()));
        } catch (AssertionError e) {
            List<String> missing = acked.keySet().stream().filter(b -> !first.containsKey(b)).toList();
            throw new AssertionError(missing.size() + " of " + acked.size() + " acknowledged messages were not delivered, such as " + missing.get(0));
        }
        return acked.size() + " acknowledged, " + first.size() + " delivered";
    }

    /**
     * Stock delivers again what a member had in hand, uncommitted, when it lost the queue. A drained broker's messages were committed long before the
     * consumer loses its queues, and one that is alone in its group keeps those of the other broker: as long as it does nothing may come twice.
     */
    private String nothingTwice() throws Exception {
        Thread.sleep(2L * POLL_MILLIS); // for what must not come
        List<Delivery> unexplained = again.stream().filter(d -> !inHand(d)).toList();
        Env.check(unexplained.isEmpty(), unexplained.size() + " of " + again.size() + " repeated deliveries are of messages that were committed, first "
            + unexplained.stream().findFirst());
        return again.size() + " of " + got + " deliveries were repeated, " + losses.size() + " queues were lost to the consumer";
    }

    private boolean inHand(Delivery d) {
        long was = first.get(d.body()).nanos();
        return losses.stream().anyMatch(l -> l.queue().equals(d.queue()) && l.nanos() < d.nanos() && l.nanos() - was < IN_HAND_MILLIS * 1_000_000);
    }

    private void run() throws Exception {
        start();
        boolean on = phase("both-serve", this::bothServe);
        on = on && phase("drained", this::drained);
        on = on && phase("stopped", this::stopped);
        on = on && phase("started", this::started);
        on = on && phase("drained-again", this::drained);
        on = on && phase("undrained", this::undrained);
        phase("no-send-failed", this::noSendFailed);
        phase("nothing-lost", this::nothingLost);
        phase("nothing-twice", this::nothingTwice);
        System.out.printf("%d passed, %d failed%n", passed, failed);
    }

    public static void main(String[] args) throws Exception {
        Drain drain = new Drain();
        try (Env e = drain.env) {
            drain.run();
        }
        System.exit(drain.failed == 0 && drain.passed > 0 ? 0 : 1);
    }
}
