import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** OffsetCases: progress that survives a restart of the broker, reset by time, search by time. */
final class OffsetCases {
    static void add(Suite suite) {
        suite.add("offset-search-by-time", OffsetCases::searchByTime);
        suite.add("offset-reset-by-time", OffsetCases::resetByTime);
        suite.addAlone("offset-kept-over-restart", OffsetCases::keptOverRestart);
        suite.addAlone("clients-survive-restart", OffsetCases::clientsSurviveRestart);
    }

    private static void searchByTime(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        MessageQueue q = p.fetchPublishMessageQueues(env.topic).get(0);
        for (int i = 0; i < 5; i++) {
            Env.send(p, Env.message(env.topic, null, null, "" + i), q);
        }
        Thread.sleep(50);
        long middle = System.currentTimeMillis();
        Thread.sleep(50);
        for (int i = 0; i < 5; i++) {
            Env.send(p, Env.message(env.topic, null, null, "" + i), q);
        }
        DefaultMQAdminExt admin = env.admin();
        Env.equal(5L, admin.searchOffset(q, middle), "offset of the middle");
        Env.equal(0L, admin.searchOffset(q, 1), "offset of the beginning");
        Env.equal(10L, admin.searchOffset(q, System.currentTimeMillis() + 60_000), "offset of the future");
        Env.equal(10L, admin.maxOffset(q), "max offset");
        Env.equal(0L, admin.minOffset(q), "min offset");
        Env.check(admin.earliestMsgStoreTime(q) <= middle, "earliest store time");
    }

    private static void resetByTime(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 20; i++) {
            Env.send(p, Env.message(env.topic, null, null, "" + i));
        }
        List<MessageExt> seen = SendCases.collect(env, env.group, env.topic, "*");
        Env.until(Env.NEXT_LOOK_MILLIS, "20 messages", () -> SendCases.distinct(seen).size() == 20);
        DefaultMQAdminExt admin = env.admin();
        int before = seen.size();
        admin.resetOffsetByTimestamp(env.topic, env.group, 0, true);
        Env.until(Env.NEXT_LOOK_MILLIS, "20 messages again", () -> seen.size() >= before + 20);
    }

    private static void keptOverRestart(Env env) throws Exception {
        env.createTopic(env.topic, 4);
        DefaultMQProducer p = env.producer();
        for (int i = 0; i < 100; i++) {
            Env.send(p, Env.message(env.topic, null, null, "old-" + i));
        }
        DefaultMQPushConsumer first = env.push(env.group, env.topic, "*");
        // The last answers count before the offsets are sent.
        first.setAwaitTerminationMillisWhenShutdown(5_000);
        java.util.Set<String> seen = java.util.concurrent.ConcurrentHashMap.newKeySet();
        first.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            msgs.forEach(m -> seen.add(Env.body(m)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        first.start();
        Env.until(Env.NEXT_LOOK_MILLIS, "100 messages", () -> seen.size() == 100);
        first.shutdown();
        Env.control("restart");
        for (int i = 0; i < 10; i++) {
            sendPatiently(p, env.topic, "new-" + i);
        }
        List<MessageExt> again = SendCases.collect(env, env.group, env.topic, "*");
        Env.until(Env.NEXT_LOOK_MILLIS, "10 new messages", () -> SendCases.distinct(again).size() >= 10);
        Thread.sleep(1_000);
        for (String body : SendCases.distinct(again)) {
            Env.check(body.startsWith("new-"), "consumed again after a clean restart: " + body);
        }
    }

    static void sendPatiently(DefaultMQProducer p, String topic, String body) throws Exception {
        long deadline = System.currentTimeMillis() + 60_000;
        while (true) {
            try {
                Env.send(p, Env.message(topic, null, null, body));
                return;
            } catch (Exception e) {
                if (System.currentTimeMillis() > deadline) {
                    throw e;
                }
                Thread.sleep(200 + ThreadLocalRandom.current().nextInt(100));
            }
        }
    }

    /** A running producer and a running consumer go on over a SIGKILL of the broker: nothing acknowledged is lost. */
    private static void clientsSurviveRestart(Env env) throws Exception {
        env.createTopic(env.topic, 4);
        DefaultMQProducer p = env.producer();
        List<MessageExt> seen = SendCases.collect(env, env.group, env.topic, "*");
        for (int i = 0; i < 50; i++) {
            sendPatiently(p, env.topic, "" + i);
        }
        Env.control("kill");
        for (int i = 50; i < 100; i++) {
            sendPatiently(p, env.topic, "" + i);
        }
        Env.until(60_000, "100 messages over a kill", () -> SendCases.distinct(seen).size() == 100);
    }
}
