import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** QueryCases: a message found again by its key, its unique key and its offset id. */
final class QueryCases {
    static void add(Suite suite) {
        suite.add("query-by-key-and-id", QueryCases::byKeyAndId);
    }

    private static void byKeyAndId(Env env) throws Exception {
        env.createTopic(env.topic, 2);
        DefaultMQProducer p = env.producer();
        SendResult wanted = null;
        for (int i = 0; i < 30; i++) {
            SendResult r = Env.send(p, Env.message(env.topic, "T", "key" + i + " shared", "body" + i));
            if (i == 17) {
                wanted = r;
            }
        }
        SendResult sent = wanted;
        DefaultMQAdminExt admin = env.admin();
        Env.until(15_000, "the key in the index", () -> {
            try {
                QueryResult r = admin.queryMessage(env.topic, "key17", 32, 0, Long.MAX_VALUE);
                return r.getMessageList().size() == 1 && Env.body(r.getMessageList().get(0)).equals("body17");
            } catch (Exception e) {
                return false;
            }
        });
        Env.equal(30, admin.queryMessage(env.topic, "shared", 64, 0, Long.MAX_VALUE).getMessageList().size(), "messages of a shared key");
        MessageExt byOffset = admin.viewMessage(env.topic, sent.getOffsetMsgId());
        Env.equal("body17", Env.body(byOffset), "message by offset id");
        MessageExt byUnique = admin.viewMessage(env.topic, sent.getMsgId());
        Env.equal("body17", Env.body(byUnique), "message by unique key");
        try {
            admin.queryMessage(env.topic, "nobody", 32, 0, Long.MAX_VALUE);
            throw new AssertionError("a key that was never sent was found");
        } catch (org.apache.rocketmq.client.exception.MQClientException e) {
            Env.equal(208, e.getResponseCode(), "code for a missing key");
        }
    }
}
