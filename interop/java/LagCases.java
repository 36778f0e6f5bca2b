import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/**
 * LagCases stops, slows and blocks stock consumers, and looks whether "ringmq admin lag" names the cause.
 * Arguments: name server, broker, path of the binary.
 */
public final class LagCases {
    private static String namesrv;
    private static String binary;
    private static int passed;
    private static int failed;

    private static DefaultMQPushConsumer consumer(String group, String topic, int threads, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer c = new DefaultMQPushConsumer(group);
        c.setNamesrvAddr(namesrv);
        c.setInstanceName(group);
        c.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        c.setConsumeThreadMin(threads);
        c.setConsumeThreadMax(threads);
        c.setPersistConsumerOffsetInterval(500);
        c.subscribe(topic, "*");
        c.registerMessageListener(listener);
        c.start();
        return c;
    }

    private static String output(String... words) throws Exception {
        List<String> line = new java.util.ArrayList<>(List.of(binary, "admin"));
        line.addAll(List.of(words));
        Process p = new ProcessBuilder(line).redirectErrorStream(true).start();
        String text = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        p.waitFor(60, TimeUnit.SECONDS);
        return text;
    }

    private static boolean says(String text, String cause, String... words) {
        boolean ok = text.contains("\"cause\":\"" + cause + "\"");
        for (String w : words) {
            ok &= text.contains(w);
        }
        return ok;
    }

    private static String lag(String group) throws Exception {
        return output("lag", "-n", namesrv, "-g", group, "-w", "4000", "-o", "json");
    }

    private static void check(String name, String group, String cause, String... words) throws Exception {
        verdict(name, lag(group), cause, words);
    }

    private static void verdict(String name, String text, String cause, String... words) {
        if (says(text, cause, words)) {
            passed++;
            System.out.println("PASS lag/" + name);
        } else {
            failed++;
            System.out.println("FAIL lag/" + name + ": not " + cause + " with " + List.of(words) + ": " + text.replaceAll("\\s+", " "));
        }
    }

    public static void main(String[] args) {
        namesrv = args[0];
        binary = args[2];
        try {
            for (String topic : List.of("LagStopped", "LagSlow", "LagStuck")) {
                output("updateTopic", "-n", namesrv, "-b", args[1], "-t", topic, "-r", "2", "-w", "2");
            }
            DefaultMQProducer producer = new DefaultMQProducer("LagProducer");
            producer.setNamesrvAddr(namesrv);
            producer.start();

            // Blocks first: it has to be a minute until it counts as stuck.
            CountDownLatch open = new CountDownLatch(1);
            AtomicInteger begun = new AtomicInteger();
            DefaultMQPushConsumer stuck = consumer("LagStuckGroup", "LagStuck", 4, (msgs, ctx) -> {
                begun.incrementAndGet();
                try {
                    open.await();
                } catch (InterruptedException e) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            for (int i = 0; i < 20; i++) {
                producer.send(new Message("LagStuck", ("x" + i).getBytes(StandardCharsets.UTF_8)));
            }
            Env.until(60_000, "messages in the hands of the blocked consumer", () -> begun.get() > 0);
            long blocked = System.currentTimeMillis();

            AtomicInteger consumed = new AtomicInteger();
            DefaultMQPushConsumer stopped = consumer("LagStoppedGroup", "LagStopped", 4, (msgs, ctx) -> {
                consumed.addAndGet(msgs.size());
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            for (int i = 0; i < 10; i++) {
                producer.send(new Message("LagStopped", ("x" + i).getBytes(StandardCharsets.UTF_8)));
            }
            Env.until(60_000, "10 messages consumed", () -> consumed.get() >= 10);
            stopped.getDefaultMQPushConsumerImpl().persistConsumerOffset(); // the client begins with that after ten seconds only
            Thread.sleep(1_500);
            check("all-consumed", "LagStoppedGroup", "none", "\"diff\":0");
            stopped.shutdown();
            for (int i = 0; i < 10; i++) {
                producer.send(new Message("LagStopped", ("y" + i).getBytes(StandardCharsets.UTF_8)));
            }
            check("stopped", "LagStoppedGroup", "no-consumer", "\"diff\":10");

            AtomicBoolean sending = new AtomicBoolean(true);
            Thread load = new Thread(() -> {
                while (sending.get()) {
                    try {
                        producer.send(new Message("LagSlow", "x".getBytes(StandardCharsets.UTF_8)));
                        Thread.sleep(20);
                    } catch (Exception e) {
                        System.err.println(e);
                    }
                }
            });
            load.start();
            DefaultMQPushConsumer slow = consumer("LagSlowGroup", "LagSlow", 1, (msgs, ctx) -> {
                try {
                    Thread.sleep(400);
                } catch (InterruptedException e) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            // How long a message takes is the client's own figure, from looks of its every ten seconds, and it may begin to consume late.
            String text;
            long patience = System.currentTimeMillis() + 90_000;
            do {
                Thread.sleep(5_000);
                text = lag("LagSlowGroup");
            } while (!says(text, "consumers-slow", "its 1 threads could do") && System.currentTimeMillis() < patience);
            verdict("slowed", text, "consumers-slow", "its 1 threads could do", "LagSlowGroup");
            sending.set(false);
            load.join();
            slow.shutdown();

            Thread.sleep(Math.max(0, blocked + 62_000 - System.currentTimeMillis()));
            check("stuck", "LagStuckGroup", "consumer-stuck", "LagStuckGroup", "messages in hand and last finished one");
            open.countDown();
            stuck.shutdown();
            producer.shutdown();
        } catch (Throwable e) {
            e.printStackTrace();
            failed++;
            System.out.println("FAIL lag/all: it ended early: " + e);
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.exit(failed == 0 ? 0 : 1);
    }
}
