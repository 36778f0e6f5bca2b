import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/**
 * LagCases stops, slows and blocks stock consumers, has a producer surge, and looks whether "ringmq admin lag" names the cause, and whether the
 * broker tells of its alarms in its log. With LAG_SURGE=1 in the environment (make lag-check) it waits
 * until the broker knows what usually comes in; without it that case is skipped, also where a skip would be a failure.
 * Arguments: name server, broker, path of the binary, the broker's log.
 */
public final class LagCases {
    private static String namesrv;
    private static String binary;
    private static Path log;
    private static long earlier; // lines of the log that are of an earlier try
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
            ok &= Pattern.compile(w).matcher(text).find();
        }
        return ok;
    }

    /** member is how a piece of evidence names the one member of a group: the answer has the group's own name elsewhere, whatever the evidence. */
    private static String member(String group) {
        return "[0-9.]+@" + group + " \\(127\\.0\\.0\\.1:[0-9]+\\)";
    }

    private static long logged(String line) throws IOException {
        try (Stream<String> lines = Files.lines(log)) {
            return lines.skip(earlier).filter(Pattern.compile(line).asPredicate()).count();
        }
    }

    /** alarm looks for a line about an alarm of lag in the broker's log: it has to come, and once. The broker looks every ten seconds. */
    private static void alarm(String name, String text, String group, String rest) throws Exception {
        String line = "msg=\"" + text + "\" group=" + group + " " + rest;
        for (long end = System.currentTimeMillis() + 60_000; logged(line) == 0 && System.currentTimeMillis() < end; ) {
            Thread.sleep(200);
        }
        if (logged(line) == 1) {
            passed++;
            System.out.println("PASS lag/" + name);
        } else {
            failed++;
            System.out.println("FAIL lag/" + name + ": " + logged(line) + " lines in the broker's log are " + line);
        }
    }

    /** load sends to a topic, at most fifty messages a second, until it is told to end. */
    private static Thread load(DefaultMQProducer producer, String topic, AtomicBoolean sending) {
        Thread load = new Thread(() -> {
            while (sending.get()) {
                try {
                    producer.send(new Message(topic, "x".getBytes(StandardCharsets.UTF_8)));
                    Thread.sleep(20);
                } catch (Exception e) {
                    System.err.println(e);
                }
            }
        });
        load.start();
        return load;
    }

    /** leisurely takes 400 ms for each message. */
    private static MessageListenerConcurrently leisurely(AtomicInteger consumed) {
        return (msgs, ctx) -> {
            try {
                Thread.sleep(400);
            } catch (InterruptedException e) {
                return ConsumeConcurrentlyStatus.RECONSUME_LATER;
            }
            consumed.addAndGet(msgs.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    /** until asks again and again until the cause is named, and judges the last answer. */
    private static void until(String name, String group, String cause, String... words) throws Exception {
        String text;
        long patience = System.currentTimeMillis() + 90_000;
        do {
            Thread.sleep(5_000);
            text = lag(group);
        } while (!says(text, cause, words) && System.currentTimeMillis() < patience);
        verdict(name, text, cause, words);
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
        log = Path.of(args[3]);
        long began = System.currentTimeMillis();
        boolean surge = "1".equals(System.getenv("LAG_SURGE"));
        try {
            earlier = logged("");
            for (String topic : List.of("LagStopped", "LagSlow", "LagStuck", "LagSurge")) {
                output("updateTopic", "-n", namesrv, "-b", args[1], "-t", topic, "-r", "2", "-w", "2");
            }
            DefaultMQProducer producer = new DefaultMQProducer("LagProducer");
            producer.setNamesrvAddr(namesrv);
            producer.start();

            AtomicInteger usual = new AtomicInteger();
            DefaultMQPushConsumer surged = surge ? consumer("LagSurgeGroup", "LagSurge", 1, leisurely(usual)) : null;
            for (int i = 0; surge && i < 20; i++) {
                producer.send(new Message("LagSurge", ("x" + i).getBytes(StandardCharsets.UTF_8)));
            }

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
            // Fewer than the alarm's limit: a look may come before what is consumed is committed.
            for (int i = 0; i < 10; i++) {
                producer.send(new Message("LagStopped", ("x" + i).getBytes(StandardCharsets.UTF_8)));
            }
            Env.until(60_000, "10 messages consumed", () -> consumed.get() >= 10);
            stopped.getDefaultMQPushConsumerImpl().persistConsumerOffset(); // the client begins with that after ten seconds only
            Thread.sleep(1_500);
            check("all-consumed", "LagStoppedGroup", "none", "\"diff\":0");
            stopped.shutdown();
            for (int i = 0; i < 20; i++) {
                producer.send(new Message("LagStopped", ("y" + i).getBytes(StandardCharsets.UTF_8)));
            }
            check("stopped", "LagStoppedGroup", "no-consumer", "\"diff\":20");
            alarm("stopped-alarm", "consumers lag", "LagStoppedGroup", "topic=LagStopped messages=[0-9]+ .*members=0 cause=no-consumer ");

            AtomicBoolean sending = new AtomicBoolean(true);
            Thread load = load(producer, "LagSlow", sending);
            DefaultMQPushConsumer slow = consumer("LagSlowGroup", "LagSlow", 1, leisurely(new AtomicInteger()));
            // How long a message takes is the client's own figure, from looks of its every ten seconds, and it may begin to consume late.
            until("slowed", "LagSlowGroup", "consumers-slow", member("LagSlowGroup") + ": [0-9.]+ a second, [0-9.]+ ms for each; its 1 threads could do",
                "queue [01] of broker-a has [0-9]+ of the [0-9]+ messages");
            sending.set(false);
            load.join();
            slow.shutdown();

            Thread.sleep(Math.max(0, blocked + 62_000 - System.currentTimeMillis()));
            check("stuck", "LagStuckGroup", "consumer-stuck",
                "queue [01] of broker-a: [0-9]+ behind at offset [0-9]+, " + member("LagStuckGroup") + " has [0-9]+ messages in hand and last finished one ");
            alarm("stuck-alarm", "consumers lag", "LagStuckGroup", "topic=LagStuck messages=[0-9]+ .*members=1 cause=");
            open.countDown();
            alarm("unblocked-alarm", "consumers no longer lag", "LagStuckGroup", "topic=LagStuck ");
            stuck.shutdown();

            if (surge) {
                // The broker counts what usually comes in from ten minutes after its start on.
                Env.until(120_000, "what usually comes is consumed", () -> usual.get() >= 20);
                Thread.sleep(Math.max(0, began + 605_000 - System.currentTimeMillis()));
                sending.set(true);
                load = load(producer, "LagSurge", sending);
                until("surged", "LagSurgeGroup", "producers-surged", "[0-9.]+ messages a second come in, [0-9.]+ are consumed; in the last hour it were [0-9.]+ and [0-9.]+");
                sending.set(false);
                load.join();
                surged.shutdown();
            } else {
                System.out.println("SKIP lag/surged: until the broker knows what usually comes in ten minutes pass; make lag-check waits");
            }
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
