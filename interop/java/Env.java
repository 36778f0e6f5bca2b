import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Env is what every case needs: addresses, unique names, clients that are closed when the case ends, and waiting. */
final class Env implements AutoCloseable {
    static final String NAMESRV = System.getProperty("namesrv", "127.0.0.1:9876");
    static final String BROKER = System.getProperty("broker", "127.0.0.1:10911");
    static final String CONTROL = System.getProperty("control", "");
    /**
     * How long a first delivery may take: a client that missed its moment looks again for its share after 20 s, and for a route or at its
     * heartbeat after 30.
     */
    static final long NEXT_LOOK_MILLIS = 45_000;
    private static final AtomicInteger SERIAL = new AtomicInteger();
    private static final String RUN = Long.toString(System.currentTimeMillis() % 100_000_000L, 36);

    final String name;
    final String topic;
    final String group;
    private final List<AutoCloseable> open = new ArrayList<>();

    Env(String name) {
        this.name = name;
        String tag = name + "-" + RUN + "-" + SERIAL.incrementAndGet();
        topic = "T-" + tag;
        group = "G-" + tag;
    }

    @Override
    public void close() {
        for (int i = open.size() - 1; i >= 0; i--) {
            try {
                open.get(i).close();
            } catch (Exception e) {
                System.err.println(name + ": closing: " + e);
            }
        }
    }

    <T extends AutoCloseable> T keep(T c) {
        synchronized (open) {
            open.add(c);
        }
        return c;
    }

    DefaultMQAdminExt admin() throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000L);
        admin.setNamesrvAddr(NAMESRV);
        admin.setInstanceName("admin-" + name + SERIAL.incrementAndGet());
        admin.setAdminExtGroup("ADMIN-" + name + SERIAL.incrementAndGet());
        admin.start();
        keep(admin::shutdown);
        return admin;
    }

    void createTopic(String topic, int queues) throws Exception {
        DefaultMQAdminExt admin = admin();
        TopicConfig config = new TopicConfig(topic);
        config.setReadQueueNums(queues);
        config.setWriteQueueNums(queues);
        admin.createAndUpdateTopicConfig(BROKER, config);
        until(5_000, "route of " + topic, () -> {
            try {
                return !admin.examineTopicRouteInfo(topic).getQueueDatas().isEmpty();
            } catch (Exception e) {
                return false;
            }
        });
    }

    DefaultMQProducer producer() throws Exception {
        DefaultMQProducer p = new DefaultMQProducer("P-" + name + SERIAL.incrementAndGet());
        p.setNamesrvAddr(NAMESRV);
        p.setInstanceName("p-" + name + SERIAL.incrementAndGet());
        p.setSendMsgTimeout(10_000);
        p.start();
        keep(p::shutdown);
        return p;
    }

    /** A push consumer of the case's group and topic, not started: the caller registers a listener, then calls start. */
    DefaultMQPushConsumer push(String group, String topic, String expression) throws Exception {
        return push(group, topic, expression, null);
    }

    /** The same, with a hook that sees what it asks and is answered. */
    DefaultMQPushConsumer push(String group, String topic, String expression, RPCHook hook) throws Exception {
        DefaultMQPushConsumer c = new DefaultMQPushConsumer(group, hook);
        c.setNamesrvAddr(NAMESRV);
        c.setInstanceName("c-" + name + SERIAL.incrementAndGet());
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        c.subscribe(topic, expression);
        keep(c::shutdown);
        return c;
    }

    static Message message(String topic, String tags, String keys, String body) {
        return new Message(topic, tags, keys, body.getBytes(StandardCharsets.UTF_8));
    }

    static String body(MessageExt m) {
        return new String(m.getBody(), StandardCharsets.UTF_8);
    }

    static SendResult send(DefaultMQProducer p, Message m) throws Exception {
        SendResult r = p.send(m);
        check(r.getSendStatus() == SendStatus.SEND_OK, "send status " + r.getSendStatus());
        return r;
    }

    static SendResult send(DefaultMQProducer p, Message m, MessageQueue q) throws Exception {
        SendResult r = p.send(m, q);
        check(r.getSendStatus() == SendStatus.SEND_OK, "send status " + r.getSendStatus());
        return r;
    }

    static void check(boolean ok, String what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object want, Object got, String what) {
        if (want == null ? got != null : !want.equals(got)) {
            throw new AssertionError(what + ": want " + want + ", got " + got);
        }
    }

    static void until(long millis, String what, BooleanSupplier done) throws Exception {
        long deadline = System.nanoTime() + millis * 1_000_000L;
        while (!done.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + millis + " ms: " + what);
            }
            Thread.sleep(20);
        }
    }

    /** control runs the driver's control program (restart, for example) and waits for it. */
    static void control(String word) throws Exception {
        check(!CONTROL.isEmpty(), "no control program given");
        Process p = new ProcessBuilder(CONTROL, word).inheritIO().start();
        equal(0, p.waitFor(), "control " + word);
    }
}
