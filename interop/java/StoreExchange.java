import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * StoreExchange fills a broker with messages and writes down what was acknowledged ("fill"), or reads another broker, opened on
 * a copy of that store directory, and checks that it serves every one of them ("check"), or writes down how far its queues reach
 * ("max"). Arguments: fill|check|max namesrv broker list-file.
 */
@SuppressWarnings("deprecation")
public final class StoreExchange {
    static final String TOPIC = "ExchangeTopic";
    static final int QUEUES = 3;

    public static void main(String[] args) {
        try {
            if (args[0].equals("fill")) {
                fill(args[1], args[2], Path.of(args[3]));
            } else if (args[0].equals("max")) {
                max(args[1], Path.of(args[3]));
            } else {
                check(args[1], args[2], Path.of(args[3]));
            }
            System.exit(0);
        } catch (Throwable e) {
            e.printStackTrace();
            System.out.println("FAIL " + args[0] + ": " + e);
            System.exit(1);
        }
    }

    private static DefaultMQAdminExt admin(String namesrv) throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000L);
        admin.setNamesrvAddr(namesrv);
        admin.setInstanceName("exchange-admin");
        admin.start();
        return admin;
    }

    private static void fill(String namesrv, String broker, Path list) throws Exception {
        DefaultMQAdminExt admin = admin(namesrv);
        admin.createAndUpdateTopicConfig(broker, new TopicConfig(TOPIC, QUEUES, QUEUES, 6));
        DefaultMQProducer p = new DefaultMQProducer("ExchangeProducer");
        p.setNamesrvAddr(namesrv);
        p.setSendMsgTimeout(10_000);
        p.start();
        Env.until(30_000, "route of the topic", () -> {
            try {
                return p.fetchPublishMessageQueues(TOPIC).size() == QUEUES;
            } catch (Exception e) {
                return false;
            }
        });
        List<MessageQueue> queues = p.fetchPublishMessageQueues(TOPIC);
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            MessageQueue q = queues.get(i % queues.size());
            String body = "exchange " + i + " " + "x".repeat(i * 7 % 900);
            Message m = new Message(TOPIC, "tag" + i % 4, "xkey" + i, body.getBytes(StandardCharsets.UTF_8));
            m.putUserProperty("number", "" + i);
            note(lines, p.send(m, q), i, body);
        }
        for (int b = 0; b < 10; b++) {
            List<Message> batch = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                batch.add(new Message(TOPIC, "batch", "bkey" + b + "-" + i, ("batch " + b + " " + i).getBytes(StandardCharsets.UTF_8)));
            }
            SendResult r = p.send(batch, queues.get(0));
            for (int i = 0; i < 8; i++) {
                lines.add(r.getMessageQueue().getQueueId() + " " + (r.getQueueOffset() + i) + " bkey" + b + "-" + i + " batch " + b + " " + i);
            }
        }
        Files.write(list, lines);
        p.shutdown();
        admin.shutdown();
    }

    /** Writes down how far every queue of RecycledTopic reaches. */
    private static void max(String namesrv, Path list) throws Exception {
        String topic = "RecycledTopic";
        DefaultMQAdminExt admin = admin(namesrv);
        Env.until(30_000, "route of the topic", () -> {
            try {
                return !admin.examineTopicRouteInfo(topic).getQueueDatas().isEmpty();
            } catch (Exception e) {
                return false;
            }
        });
        List<String> lines = new ArrayList<>();
        for (int q = 0; q < QUEUES; q++) {
            lines.add(q + " " + admin.maxOffset(new MessageQueue(topic, "broker-a", q)));
        }
        Files.write(list, lines);
        admin.shutdown();
    }

    private static void note(List<String> lines, SendResult r, int i, String body) {
        lines.add(r.getMessageQueue().getQueueId() + " " + r.getQueueOffset() + " xkey" + i + " " + body);
    }

    private static void check(String namesrv, String broker, Path list) throws Exception {
        DefaultMQAdminExt admin = admin(namesrv);
        Env.until(30_000, "route of the topic", () -> {
            try {
                return !admin.examineTopicRouteInfo(TOPIC).getQueueDatas().isEmpty();
            } catch (Exception e) {
                return false;
            }
        });
        DefaultMQPullConsumer c = new DefaultMQPullConsumer("ExchangeChecker");
        c.setNamesrvAddr(namesrv);
        c.setInstanceName("exchange-checker");
        c.start();
        List<String> lines = Files.readAllLines(list);
        int served = 0;
        for (MessageQueue q : c.fetchSubscribeMessageQueues(TOPIC)) {
            List<String> mine = lines.stream().filter(l -> l.startsWith(q.getQueueId() + " ")).toList();
            long offset = 0;
            int next = 0;
            while (next < mine.size()) {
                PullResult r = c.pull(q, "*", offset, 32);
                Env.check(r.getMsgFoundList() != null && !r.getMsgFoundList().isEmpty(), "nothing at " + q + " offset " + offset + ": " + r);
                for (MessageExt m : r.getMsgFoundList()) {
                    if (next == mine.size()) {
                        break;
                    }
                    String got = m.getQueueId() + " " + m.getQueueOffset() + " " + m.getKeys() + " " + new String(m.getBody(), StandardCharsets.UTF_8);
                    Env.equal(mine.get(next), got, "message " + next + " of queue " + q.getQueueId());
                    next++;
                    served++;
                }
                offset = r.getNextBeginOffset();
            }
            Env.equal((long) mine.size(), c.maxOffset(q), "max offset of queue " + q.getQueueId());
        }
        Env.equal(lines.size(), served, "messages served");
        System.out.println("PASS messages");
        Env.until(20_000, "a key found again", () -> {
            try {
                return admin.queryMessage(TOPIC, "xkey123", 32, 0, Long.MAX_VALUE).getMessageList().size() == 1;
            } catch (Exception e) {
                return false;
            }
        });
        System.out.println("PASS key");
    }
}
