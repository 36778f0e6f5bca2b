import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/** Member is one consumer in a process of its own, so that it can be killed: it prints a line for every message it has consumed. */
public final class Member {
    public static void main(String[] args) throws Exception {
        String group = args[0];
        String topic = args[1];
        boolean orderly = args[2].equals("orderly");
        DefaultMQPushConsumer c = new DefaultMQPushConsumer(group);
        c.setNamesrvAddr(Env.NAMESRV);
        c.setInstanceName(args[3]);
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        c.setPersistConsumerOffsetInterval(500);
        c.subscribe(topic, "*");
        AtomicLong n = new AtomicLong();
        if (orderly) {
            c.registerMessageListener((MessageListenerOrderly) (msgs, ctx) -> {
                msgs.forEach(m -> tell(m, n));
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            c.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
                msgs.forEach(m -> tell(m, n));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        c.start();
        System.out.println("started");
        while (System.in.read() != -1) {
            continue;
        }
        c.shutdown();
        System.out.println("stopped");
        System.exit(0);
    }

    private static void tell(MessageExt m, AtomicLong n) {
        synchronized (n) {
            System.out.println("got " + m.getQueueId() + " " + m.getQueueOffset() + " " + Env.body(m));
            System.out.flush();
        }
    }
}
