import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.admin.OffsetWrapper;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * PairLife drives stock clients against two brokers, broker-a with a slave and broker-b without, while the control program kills and
 * restarts them. Each phase prints a PASS or FAIL line; the last line is "N passed, N failed".
 *
 * Addresses: -Dnamesrv, -Dbrokers (all that get the topic, separated by commas: master, slave, the other), -Dcontrol. -Dprogress asks for what
 * stock does not do: progress that only the slave was told of survives. true: a master of ours has it when it first answers. offered: a stock
 * master has it once a slave of ours has offered it.
 */
public final class PairLife {
    private static final int POLL_MILLIS = 1000;
    /** A client may wait 3 s behind an exception and its poll of the route on top; a stock broker's start is slow. */
    private static final long MOVE_MILLIS = 15_000;
    private static final long START_MILLIS = 60_000;
    /** A stock slave asks its master once a minute. */
    private static final long SYNC_MILLIS = 90_000;
    /** Beside its poll of the route: a suspended client's second, a pull that failed, and a machine with other work. */
    private static final long PAUSE_MILLIS = 3_000;
    private static final int QUEUES = 4; // of each broker
    private static final int PULLS = 40; // that must all be served by the same broker

    private final Env env = new Env("pair-life");
    private final AtomicBoolean stop = new AtomicBoolean();
    private final AtomicInteger serial = new AtomicInteger();
    private final Map<String, String> acked = new ConcurrentHashMap<>(); // body to broker name
    private final Map<String, AtomicInteger> sent = new ConcurrentHashMap<>(); // by broker name
    private final Map<String, AtomicInteger> got = new ConcurrentHashMap<>();
    private final Map<String, AtomicInteger> unsafe = new ConcurrentHashMap<>(); // other send statuses and failures
    private final Set<String> delivered = ConcurrentHashMap.newKeySet();
    private final Gap sendGap = new Gap();
    private final Gap deliveryGap = new Gap();
    private final List<Thread> producers = new ArrayList<>();
    private DefaultMQPushConsumer consumer;
    private PullLog pulls;
    private int passed;
    private int failed;

    private interface Phase {
        String run() throws Exception;
    }

    private boolean phase(String name, Phase p) {
        try {
            System.out.printf("PASS %s (%s)%n", name, p.run());
            passed++;
            return true;
        } catch (Throwable e) {
            System.out.printf("FAIL %s: %s; sent %s, delivered %s, other answers %s%n", name, e, sent, got, unsafe);
            e.printStackTrace();
            failed++;
            return false;
        }
    }

    private int count(Map<String, AtomicInteger> m, String broker) {
        AtomicInteger n = m.get(broker);
        return n == null ? 0 : n.get();
    }

    private static void add(Map<String, AtomicInteger> m, String key) {
        m.computeIfAbsent(key, k -> new AtomicInteger()).incrementAndGet();
    }

    private void start() throws Exception {
        DefaultMQAdminExt admin = env.admin();
        for (String addr : System.getProperty("brokers").split(",")) {
            TopicConfig config = new TopicConfig(env.topic);
            config.setReadQueueNums(QUEUES);
            config.setWriteQueueNums(QUEUES);
            admin.createAndUpdateTopicConfig(addr, config);
        }
        Env.until(START_MILLIS, "two brokers in the route", () -> {
            try {
                return admin.examineTopicRouteInfo(env.topic).getQueueDatas().size() == 2;
            } catch (Exception e) {
                return false;
            }
        });
        String[] pair = System.getProperty("brokers").split(",");
        pulls = new PullLog(env.topic, pair[0], pair[1]);
        consumer = env.push(env.group, env.topic, "*", pulls);
        consumer.getDefaultMQPushConsumerImpl().setPullTimeDelayMillsWhenException(100);
        consumer.setPollNameServerInterval(POLL_MILLIS);
        consumer.setHeartbeatBrokerInterval(POLL_MILLIS);
        consumer.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
            for (MessageExt m : msgs) {
                delivered.add(Env.body(m));
                add(got, m.getBrokerName());
                deliveryGap.event();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        for (int i = 0; i < 4; i++) {
            DefaultMQProducer p = new DefaultMQProducer("P-" + env.name + i);
            p.setNamesrvAddr(Env.NAMESRV);
            p.setInstanceName("p-" + env.name + i);
            p.setPollNameServerInterval(POLL_MILLIS);
            p.setHeartbeatBrokerInterval(POLL_MILLIS);
            p.setSendMsgTimeout(4_000);
            p.setRetryTimesWhenSendFailed(3);
            p.setRetryAnotherBrokerWhenNotStoreOK(true);
            p.start();
            env.keep(p::shutdown);
            Thread t = new Thread(() -> produce(p), "producer-" + i);
            producers.add(t);
            t.start();
        }
    }

    private void produce(DefaultMQProducer p) {
        while (!stop.get()) {
            String body = "pair " + serial.incrementAndGet();
            try {
                SendResult r = p.send(Env.message(env.topic, "T", body.replace(' ', '-'), body));
                if (r.getSendStatus() == SendStatus.SEND_OK) {
                    acked.put(body, r.getMessageQueue().getBrokerName());
                    add(sent, r.getMessageQueue().getBrokerName());
                    sendGap.event();
                } else {
                    add(unsafe, r.getSendStatus().toString());
                }
                Thread.sleep(10);
            } catch (InterruptedException e) {
                return;
            } catch (Exception e) {
                add(unsafe, e.getClass().getSimpleName());
            }
        }
    }

    /** Both brokers get and give messages. */
    private String flows(long limit) throws Exception {
        Map<String, Integer> before = new HashMap<>();
        for (String b : List.of("broker-a", "broker-b")) {
            before.put("sent " + b, count(sent, b));
            before.put("got " + b, count(got, b));
        }
        long from = System.nanoTime();
        for (String b : List.of("broker-a", "broker-b")) {
            Env.until(limit, "10 sends to " + b, () -> count(sent, b) >= before.get("sent " + b) + 10);
            Env.until(limit, "10 deliveries of " + b, () -> count(got, b) >= before.get("got " + b) + 10);
        }
        return (System.nanoTime() - from) / 1_000_000 + " ms";
    }

    /** What a master that dies had taken is delivered by its slave, and sends go to the other broker. */
    private String masterGone() throws Exception {
        consumer.suspend();
        int before = count(sent, "broker-a");
        Env.until(MOVE_MILLIS, "50 sends to broker-a that nobody reads", () -> count(sent, "broker-a") >= before + 50);
        Env.control("kill-master");
        long killed = System.nanoTime();
        sendGap.reset();
        List<String> waiting = new ArrayList<>();
        acked.forEach((body, broker) -> {
            if (broker.equals("broker-a") && !delivered.contains(body)) {
                waiting.add(body);
            }
        });
        Env.check(waiting.size() >= 20, "only " + waiting.size() + " messages of broker-a are left to deliver");
        consumer.resume();
        String served = pulls.slaveServes(killed, POLL_MILLIS, PAUSE_MILLIS, QUEUES);
        Env.until(MOVE_MILLIS, waiting.size() + " messages of broker-a from its slave", () -> delivered.containsAll(waiting));
        long moved = (System.nanoTime() - killed) / 1_000_000;
        int toB = count(sent, "broker-b");
        Env.until(MOVE_MILLIS, "sends to broker-b", () -> count(sent, "broker-b") >= toB + 50);
        Env.check(sendGap.millis() < MOVE_MILLIS, "no send succeeded for " + sendGap.millis() + " ms");
        return served + "; " + waiting.size() + " messages from the slave " + moved + " ms after the kill, sends interrupted for " + sendGap.millis() + " ms";
    }

    private String masterBack() throws Exception {
        long started = System.nanoTime();
        Env.control("start-master");
        String flowing = flows(START_MILLIS);
        return "sends and deliveries of both brokers after " + flowing + "; " + pulls.masterAgain(started, PULLS, QUEUES, MOVE_MILLIS);
    }

    /**
     * Every broker of the pair ends in order and comes back, while all go on. A member that has much of broker-a to read yet, and next to nothing of it in
     * its memory, is not stopped for longer than a client needs to find the broker that is there.
     */
    private String rolling() throws Exception {
        StringBuilder text = new StringBuilder();
        String[] pair = System.getProperty("brokers").split(",");
        LateMember late = new LateMember(env, pair[0], pair[1]);
        late.start(QUEUES, POLL_MILLIS, START_MILLIS);
        Env.until(MOVE_MILLIS, "deliveries to a member that is far behind", () -> late.taken() >= 10);
        for (String word : List.of("restart-slave", "away-master")) {
            deliveryGap.reset();
            sendGap.reset();
            late.gap.reset();
            long ordered = System.nanoTime();
            Env.control(word);
            flows(START_MILLIS);
            long still = late.gap.millis();
            int left = late.left();
            int bySlave = late.pulls.servedBy(pair[1], ordered);
            Env.check(word.equals("restart-slave") || bySlave > 0, word + ": the slave served nothing");
            Env.check(left >= 50, word + ": only " + left + " messages of broker-a were left to read");
            Env.check(still <= POLL_MILLIS + PAUSE_MILLIS, word + ": nothing of broker-a was delivered for " + still + " ms, with " + left + " messages to read");
            Env.check(deliveryGap.millis() < MOVE_MILLIS, word + ": nothing was delivered for " + deliveryGap.millis() + " ms");
            Env.check(sendGap.millis() < MOVE_MILLIS, word + ": no send succeeded for " + sendGap.millis() + " ms");
            text.append(word).append(": deliveries stood still for ").append(deliveryGap.millis()).append(" ms, sends for ").append(sendGap.millis())
                .append(" ms, broker-a's for ").append(still).append(" ms with ").append(left).append(" messages to read, ").append(bySlave)
                .append(" pulls served by the slave; ");
        }
        late.close();
        return text.toString();
    }

    /**
     * Progress that only the slave was told of: the master is killed, a consumer takes what is left from the slave, commits and ends. No
     * member of the group remembers anything. When the master is back, perhaps after a restart of the slave, a new consumer is given none
     * of it again.
     */
    private String progressKept(boolean slaveRestarts) throws Exception {
        final int first = 40;
        final int left = 100;
        final int more = 20;
        String topic = env.topic + (slaveRestarts ? "-kept-by-disk" : "-kept");
        String group = env.group + (slaveRestarts ? "-kept-by-disk" : "-kept");
        String[] brokers = System.getProperty("brokers").split(",");
        String slave = brokers[1];
        DefaultMQAdminExt admin = env.admin();
        for (String addr : List.of(brokers[0], slave)) {
            TopicConfig config = new TopicConfig(topic);
            config.setReadQueueNums(4);
            config.setWriteQueueNums(4);
            admin.createAndUpdateTopicConfig(addr, config);
        }
        Map<String, AtomicInteger> seen = new ConcurrentHashMap<>(); // body to deliveries, of both consumers
        DefaultMQProducer p = env.producer();
        p.setRetryTimesWhenSendFailed(0); // what is stored twice is delivered twice
        DefaultMQPushConsumer one = member(group, topic, seen);
        sendCopied(p, topic, first, seen);
        Env.until(START_MILLIS, first + " deliveries", () -> all(seen));
        Env.until(SYNC_MILLIS, "the group and its progress at the slave", () -> unread(admin, slave, group, topic) == 0);
        one.suspend();
        sendCopied(p, topic, left, seen);
        Env.until(MOVE_MILLIS, "all of it at the slave", () -> unread(admin, slave, group, topic) >= left / 2);
        Env.control("kill-master");
        long waiting = seen.values().stream().filter(n -> n.get() == 0).count();
        Env.check(waiting >= left / 2, "only " + waiting + " messages are left to the slave");
        one.resume();
        Env.until(MOVE_MILLIS, waiting + " messages from the slave", () -> all(seen));
        one.shutdown();
        Env.until(MOVE_MILLIS, "all progress at the slave", () -> unread(admin, slave, group, topic) == 0);
        if (slaveRestarts) {
            Env.control("restart-slave");
            Env.until(START_MILLIS, "the slave in the route, where a master that starts finds whom to ask", () -> listed(admin, topic, slave));
        }
        Env.control("start-master");
        if (System.getProperty("progress").equals("offered")) {
            Env.until(MOVE_MILLIS, "the progress of the slave at the master", () -> unread(admin, brokers[0], group, topic) == 0);
        } else {
            Env.equal(0L, unread(admin, brokers[0], group, topic), "messages that the master believes unread when it first answers (-1: it knows of no progress)");
        }
        DefaultMQPushConsumer other = member(group, topic, seen);
        sendCopied(p, topic, more, seen);
        Env.until(START_MILLIS, more + " deliveries of new messages", () -> all(seen));
        Thread.sleep(3 * POLL_MILLIS); // for what must not come
        other.shutdown();
        List<String> again = new ArrayList<>();
        seen.forEach((body, n) -> {
            if (n.get() > 1) {
                again.add(body);
            }
        });
        Env.check(again.isEmpty(), again.size() + " of " + waiting + " messages that were taken from the slave and committed came again, such as " + again.stream().findFirst());
        return waiting + " messages taken from the slave, " + more + " new ones behind them, 0 repeated";
    }

    private DefaultMQPushConsumer member(String group, String topic, Map<String, AtomicInteger> seen) throws Exception {
        DefaultMQPushConsumer c = env.push(group, topic, "*");
        c.setPollNameServerInterval(POLL_MILLIS);
        c.setHeartbeatBrokerInterval(POLL_MILLIS);
        c.setPersistConsumerOffsetInterval(500);
        c.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
            msgs.forEach(m -> add(seen, Env.body(m)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        return c;
    }

    /** Sends until so many are in two copies; only those are put down. */
    private void sendCopied(DefaultMQProducer p, String topic, int n, Map<String, AtomicInteger> seen) throws Exception {
        AtomicInteger copied = new AtomicInteger();
        Env.until(START_MILLIS, n + " sends that both brokers have", () -> {
            String body = "kept " + serial.incrementAndGet();
            try {
                if (p.send(Env.message(topic, "T", body.replace(' ', '-'), body)).getSendStatus() == SendStatus.SEND_OK) {
                    seen.computeIfAbsent(body, k -> new AtomicInteger());
                    copied.incrementAndGet();
                }
            } catch (Exception e) {
                add(unsafe, e.getClass().getSimpleName());
            }
            return copied.get() >= n;
        });
    }

    private static boolean listed(DefaultMQAdminExt admin, String topic, String addr) {
        try {
            return admin.examineTopicRouteInfo(topic).getBrokerDatas().stream().anyMatch(b -> b.getBrokerAddrs().containsValue(addr));
        } catch (Exception e) {
            return false;
        }
    }

    private static boolean all(Map<String, AtomicInteger> seen) {
        return seen.values().stream().allMatch(n -> n.get() > 0);
    }

    /** How many messages of a topic a group has before it, as one broker knows; -1: it does not know the group's progress in all queues. */
    private static long unread(DefaultMQAdminExt admin, String broker, String group, String topic) {
        try {
            long sum = 0;
            Map<MessageQueue, OffsetWrapper> table = admin.examineConsumeStats(broker, group, topic, 5_000).getOffsetTable();
            for (OffsetWrapper w : table.values()) {
                if (w.getConsumerOffset() < 0) {
                    return -1;
                }
                sum += w.getBrokerOffset() - w.getConsumerOffset();
            }
            return table.isEmpty() ? -1 : sum;
        } catch (Exception e) {
            return -1;
        }
    }

    private String nothingLost() throws Exception {
        stop.set(true);
        for (Thread t : producers) {
            t.join();
        }
        AtomicLong missing = new AtomicLong();
        try {
            Env.until(Env.NEXT_LOOK_MILLIS, "every acknowledged message", () -> {
                missing.set(acked.keySet().stream().filter(b -> !delivered.contains(b)).count());
                return missing.get() == 0;
            });
        } catch (AssertionError e) {
            throw new AssertionError(missing + " of " + acked.size() + " acknowledged messages were not delivered");
        }
        return acked.size() + " acknowledged, " + delivered.size() + " delivered, other answers " + unsafe;
    }

    private void run() throws Exception {
        start();
        boolean on = phase("life/java-both-serve", () -> flows(START_MILLIS) + "; " + pulls.masterServes(PULLS, QUEUES, MOVE_MILLIS));
        on = on && phase("life/java-master-killed", this::masterGone);
        on = on && phase("life/java-master-back", this::masterBack);
        on = on && phase("life/java-rolling-restart", this::rolling);
        if (on && System.getProperty("progress") != null) {
            on = phase("life/java-progress-of-the-slave", () -> progressKept(false));
            on = on && phase("life/java-progress-of-a-restarted-slave", () -> progressKept(true));
        }
        if (on) {
            phase("life/java-nothing-lost", this::nothingLost);
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        stop.set(true);
    }

    public static void main(String[] args) throws Exception {
        PairLife life = new PairLife();
        try (Env e = life.env) {
            life.run();
        }
        System.exit(life.failed == 0 && life.passed > 0 ? 0 : 1);
    }
}
