import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** RetryCases: send-back until the dead letter queue, ordered retry until the dead letter queue, delay levels on time. */
final class RetryCases {
    static void add(Suite suite) {
        suite.add("retry-until-dlq", RetryCases::untilDlq);
        suite.add("retry-straight-to-dlq", RetryCases::straightToDlq);
        suite.add("retry-orderly-dlq", RetryCases::orderlyDlq);
        suite.add("delay-levels", RetryCases::delayLevels);
    }

    private static void untilDlq(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        List<Integer> times = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.setMaxReconsumeTimes(2);
        c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            msgs.forEach(m -> times.add(m.getReconsumeTimes()));
            ctx.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        c.start();
        Message m = Env.message(env.topic, "T", "dead", "never good");
        m.putUserProperty("p", "v");
        String id = Env.send(p, m).getMsgId();
        // The client asks for the route of its retry topic 30 s after its start, and takes its share at its next look.
        Env.until(90_000, "three attempts", () -> times.size() >= 3);
        Env.equal(List.of(0, 1, 2), List.copyOf(times), "reconsume times");
        MessageExt dead = deadLetter(env);
        Env.equal("never good", Env.body(dead), "body of the dead letter");
        Env.equal(id, dead.getProperty("UNIQ_KEY"), "unique key of the dead letter");
        Env.equal(env.topic, dead.getProperty("RETRY_TOPIC"), "origin of the dead letter");
        Env.equal("v", dead.getUserProperty("p"), "property of the dead letter");
    }

    /** deadLetter waits for the group's first dead letter and reads it. */
    private static MessageExt deadLetter(Env env) throws Exception {
        String dlq = "%DLQ%" + env.group;
        org.apache.rocketmq.tools.admin.DefaultMQAdminExt admin = env.admin();
        Env.until(30_000, "a dead letter", () -> {
            try {
                return admin.examineTopicStats(dlq).getOffsetTable().values().stream().anyMatch(o -> o.getMaxOffset() > 0);
            } catch (Exception e) {
                return false;
            }
        });
        org.apache.rocketmq.tools.admin.DefaultMQAdminExt a = admin;
        org.apache.rocketmq.common.message.MessageQueue q = a.examineTopicStats(dlq).getOffsetTable().keySet().iterator().next();
        @SuppressWarnings("deprecation")
        org.apache.rocketmq.client.consumer.DefaultMQPullConsumer pull = new org.apache.rocketmq.client.consumer.DefaultMQPullConsumer("DLQ-" + env.group);
        pull.setNamesrvAddr(Env.NAMESRV);
        pull.setInstanceName("dlq-" + env.topic);
        // A dead letter topic is made without read permission for ordinary consumers on some releases: give it.
        org.apache.rocketmq.common.TopicConfig config = new org.apache.rocketmq.common.TopicConfig(dlq, 1, 1, 6);
        a.createAndUpdateTopicConfig(Env.BROKER, config);
        pull.start();
        env.keep(pull::shutdown);
        return pull.pull(q, "*", 0, 1).getMsgFoundList().get(0);
    }

    private static void straightToDlq(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            ctx.setDelayLevelWhenNextConsume(-1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        c.start();
        Env.send(p, Env.message(env.topic, null, null, "to the dead"));
        Env.equal("to the dead", Env.body(deadLetter(env)), "body of the dead letter");
    }

    private static void orderlyDlq(Env env) throws Exception {
        env.createTopic(env.topic, 1);
        DefaultMQProducer p = env.producer();
        List<String> good = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.setMaxReconsumeTimes(2);
        c.setSuspendCurrentQueueTimeMillis(200);
        c.registerMessageListener((MessageListenerOrderly) (msgs, ctx) -> {
            for (MessageExt m : msgs) {
                if (Env.body(m).equals("bad")) {
                    return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                }
                good.add(Env.body(m));
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        c.setConsumeMessageBatchMaxSize(1);
        c.start();
        for (String body : new String[] {"one", "bad", "two"}) {
            Env.send(p, Env.message(env.topic, null, null, body));
        }
        Env.until(Env.NEXT_LOOK_MILLIS, "the queue goes on after the bad message", () -> good.contains("two"));
        Env.equal("bad", Env.body(deadLetter(env)), "body of the dead letter");
    }

    private static void delayLevels(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        long[] level = {0, 1_000, 5_000, 10_000, 30_000};
        Map<Integer, Long> late = new ConcurrentHashMap<>();
        DefaultMQPushConsumer c = env.push(env.group, env.topic, "*");
        c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
            long now = System.currentTimeMillis();
            for (MessageExt m : msgs) {
                int l = Integer.parseInt(Env.body(m));
                late.put(l, now - m.getBornTimestamp() - level[l]);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        c.start();
        DefaultMQProducer p = env.producer();
        // The first delivery waits for the consumer's rebalancing; only what comes after it measures the broker.
        Env.send(p, Env.message(env.topic, "D", null, "0"));
        Env.until(Env.NEXT_LOOK_MILLIS, "the consumer is at work", () -> late.containsKey(0));
        late.clear();
        for (int l = 1; l <= 4; l++) {
            Message m = Env.message(env.topic, "D", null, "" + l);
            m.setDelayTimeLevel(l);
            Env.send(p, m);
        }
        Env.until(60_000, "four delayed messages", () -> late.size() == 4);
        for (Map.Entry<Integer, Long> e : late.entrySet()) {
            Env.check(e.getValue() >= 0, "level " + e.getKey() + " came " + -e.getValue() + " ms early");
            Env.check(e.getValue() < 2_000, "level " + e.getKey() + " came " + e.getValue() + " ms late");
        }
    }
}
