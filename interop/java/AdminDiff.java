import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * AdminDiff gives a cluster a workload, runs mqadmin commands against it and writes what they print to a file, after addresses,
 * ids and times have been replaced by their kind ("run"); then it compares two such files ("compare"). Each cluster needs a
 * process of its own: some commands keep the first name server they were given.
 * Arguments: run namesrv broker file, or compare reference-file our-file.
 */
public final class AdminDiff {
    static final String TOPIC = "AdminTopic";
    static final String GROUP = "AdminGroup";

    /** One side: a cluster under test and what the workload left there. */
    static final class Side {
        final String namesrv;
        final String broker;
        DefaultMQProducer producer;
        DefaultMQPushConsumer consumer;
        String offsetId;
        String uniqueId;

        Side(String namesrv, String broker) {
            this.namesrv = namesrv;
            this.broker = broker;
        }

        void workload() throws Exception {
            run("updateTopic", "-n", namesrv, "-b", broker, "-t", TOPIC, "-r", "2", "-w", "2");
            run("updateSubGroup", "-n", namesrv, "-b", broker, "-g", GROUP);
            Thread.sleep(1_000);
            producer = new DefaultMQProducer("AdminProducer");
            producer.setNamesrvAddr(namesrv);
            producer.setInstanceName("admin-producer-" + broker.hashCode());
            producer.setSendMsgTimeout(10_000);
            producer.start();
            consumer = new DefaultMQPushConsumer(GROUP);
            consumer.setNamesrvAddr(namesrv);
            consumer.setInstanceName("admin-consumer-" + broker.hashCode());
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.setPersistConsumerOffsetInterval(500);
            consumer.subscribe(TOPIC, "*");
            java.util.concurrent.atomic.AtomicInteger n = new java.util.concurrent.atomic.AtomicInteger();
            consumer.registerMessageListener((MessageListenerConcurrently) (msgs, ctx) -> {
                n.addAndGet(msgs.size());
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            List<MessageQueue> queues = producer.fetchPublishMessageQueues(TOPIC);
            queues.sort(null);
            for (int i = 0; i < 10; i++) {
                Message m = new Message(TOPIC, i % 2 == 0 ? "even" : "odd", "key" + i, ("body " + i).getBytes(StandardCharsets.UTF_8));
                SendResult r = producer.send(m, queues.get(i % 2));
                if (i == 4) {
                    offsetId = r.getOffsetMsgId();
                    uniqueId = r.getMsgId();
                }
            }
            Env.until(60_000, "10 messages consumed at " + broker, () -> n.get() >= 10);
            consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
            Thread.sleep(2_000);
        }

        String fill(String word) {
            return word.replace("{ns}", namesrv).replace("{broker}", broker).replace("{offsetId}", offsetId).replace("{uniqueId}", uniqueId);
        }
    }

    /** run returns what a command prints, its errors without their stacks. */
    static String run(String... args) {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        PrintStream both = new PrintStream(text, true, StandardCharsets.UTF_8);
        System.setOut(both);
        System.setErr(both);
        try {
            MQAdminStartup.main0(args, null);
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        return text.toString(StandardCharsets.UTF_8).replaceAll("(?m)^\\s+(at |\\.\\.\\. ).*\\R?", "");
    }

    /** plain replaces what must differ between two clusters by the name of its kind. */
    static String plain(String s) {
        return s.replaceAll("\\b([0-9A-F]{32}|[0-9A-F]{56})\\b", "<id>")
            .replaceAll("(Consume|Put) TPS: [0-9.]+", "$1 TPS: <tps>")
            .replaceAll("Metric_\\S+|\\(\\S+\\.java:\\d+\\)", "<place>")
            // Stock lists a topic among its own consumer groups; ours does not.
            .replaceAll("(?s)MessageTrack \\[consumerGroup=" + TOPIC + ", .*?<place>\\]\\R?", "")
            .replaceAll("(?m)^" + TOPIC + " +" + TOPIC + " +[-0-9. ]+$\\R?", "")
            .replaceAll("\\b[0-9A-F]{16}\\b", "<hex>")
            .replaceAll("\\d{4}-\\d{2}-\\d{2}[ #]\\d{2}:\\d{2}:\\d{2}([,.:]\\d{3})?", "<time>")
            .replaceAll("\\b1[6-9]\\d{11}\\b", "<ms>")
            .replaceAll("127\\.0\\.0\\.1:\\d+", "<addr>")
            .replaceAll("\\d+\\.\\d+\\.\\d+\\.\\d+@\\d+#\\d+", "<client>")
            .replaceAll("\\d+\\.\\d+\\.\\d+\\.\\d+@admin-[a-z]+-?-?\\d+", "<client>")
            .replaceAll("/\\d+\\.\\d+\\.\\d+\\.\\d+:\\d+", "/<addr>")
            .replaceAll("/tmp/rocketmq/msgbodys/\\S+", "<file>")
            .replaceAll("(?m)[ \\t]+$", "").strip();
    }

    /** sorted makes the order of lines meaningless, for tables printed in hash order. */
    static String sorted(String s) {
        return String.join("\n", new TreeSet<>(List.of(plain(s).split("\n"))));
    }

    /** keys keeps only the first word of each line, for tables of figures. */
    static String keys(String s) {
        TreeSet<String> keys = new TreeSet<>();
        for (String line : s.split("\n")) {
            String word = line.strip().split("[ =:\\t]")[0].replaceAll("^commitLogDiskRatio_.*", "commitLogDiskRatio_<path>");
            if (!word.isEmpty() && !word.startsWith("<") && Character.isLetter(word.charAt(0))) {
                keys.add(word);
            }
        }
        return String.join("\n", keys);
    }

    /** shape keeps the words and drops every number. */
    static String shape(String s) {
        return sorted(plain(s).replaceAll("-?\\b\\d+(\\.\\d+)?\\b", "N").replaceAll("[ \\t]+", " "));
    }

    record Command(String name, UnaryOperator<String> view, String... args) { }

    static List<Command> commands() {
        List<Command> all = new ArrayList<>();
        UnaryOperator<String> plain = AdminDiff::plain;
        UnaryOperator<String> sorted = AdminDiff::sorted;
        UnaryOperator<String> shape = AdminDiff::shape;
        all.add(new Command("updateTopic", plain, "-n", "{ns}", "-b", "{broker}", "-t", "AdminTopic2", "-r", "4", "-w", "4"));
        all.add(new Command("updateTopic", plain, "-n", "{ns}", "-c", "DefaultCluster", "-t", "AdminTopic3"));
        all.add(new Command("topicRoute", plain, "-n", "{ns}", "-t", TOPIC));
        all.add(new Command("topicStatus", plain, "-n", "{ns}", "-t", TOPIC));
        all.add(new Command("topicClusterList", plain, "-n", "{ns}", "-t", TOPIC));
        all.add(new Command("updateSubGroup", shape, "-n", "{ns}", "-b", "{broker}", "-g", "AdminGroup2", "-r", "3"));
        all.add(new Command("clusterList", shape, "-n", "{ns}"));
        all.add(new Command("brokerStatus", AdminDiff::keys, "-n", "{ns}", "-b", "{broker}"));
        all.add(new Command("consumerProgress", sorted, "-n", "{ns}", "-g", GROUP));
        all.add(new Command("consumerConnection", sorted, "-n", "{ns}", "-g", GROUP));
        all.add(new Command("producerConnection", sorted, "-n", "{ns}", "-g", "AdminProducer", "-t", TOPIC));
        all.add(new Command("consumerStatus", shape, "-n", "{ns}", "-g", GROUP));
        all.add(new Command("queryMsgById", plain, "-n", "{ns}", "-t", TOPIC, "-i", "{offsetId}"));
        all.add(new Command("queryMsgByKey", plain, "-n", "{ns}", "-t", TOPIC, "-k", "key4"));
        all.add(new Command("queryMsgByUniqueKey", shape, "-n", "{ns}", "-t", TOPIC, "-i", "{uniqueId}"));
        all.add(new Command("queryMsgByOffset", plain, "-n", "{ns}", "-t", TOPIC, "-b", "broker-a", "-i", "0", "-o", "1"));
        all.add(new Command("printMsg", sorted, "-n", "{ns}", "-t", TOPIC));
        all.add(new Command("printMsgByQueue", plain, "-n", "{ns}", "-t", TOPIC, "-a", "broker-a", "-i", "0", "-p", "true", "-d", "true"));
        all.add(new Command("getBrokerConfig", AdminDiff::keys, "-n", "{ns}", "-b", "{broker}"));
        all.add(new Command("updateBrokerConfig", plain, "-n", "{ns}", "-b", "{broker}", "-k", "flushConsumerOffsetInterval", "-v", "4000"));
        all.add(new Command("updateBrokerConfig", plain, "-n", "{ns}", "-b", "{broker}", "-k", "brokerConfigPath", "-v", "elsewhere"));
        all.add(new Command("getNamesrvConfig", AdminDiff::keys, "-n", "{ns}"));
        all.add(new Command("statsAll", shape, "-n", "{ns}", "-t", TOPIC));
        all.add(new Command("allocateMQ", plain, "-n", "{ns}", "-t", TOPIC, "-i", "10.0.0.1,10.0.0.2"));
        all.add(new Command("sendMessage", plain, "-n", "{ns}", "-t", TOPIC, "-p", "hello", "-b", "broker-a", "-i", "1"));
        all.add(new Command("consumeMessage", sorted, "-n", "{ns}", "-t", TOPIC, "-b", "broker-a", "-i", "1", "-o", "0", "-c", "3"));
        all.add(new Command("queryCq", shape, "-n", "{ns}", "-b", "{broker}", "-t", TOPIC, "-q", "0", "-i", "0", "-c", "3"));
        all.add(new Command("resetOffsetByTime", sorted, "-n", "{ns}", "-g", GROUP, "-t", TOPIC, "-s", "0"));
        all.add(new Command("topicRoute", plain, "-n", "{ns}", "-t", "NoSuchTopic"));
        all.add(new Command("consumerProgress", shape, "-n", "{ns}", "-g", "NoSuchGroup"));
        all.add(new Command("deleteSubGroup", plain, "-n", "{ns}", "-b", "{broker}", "-g", "AdminGroup2"));
        all.add(new Command("deleteTopic", plain, "-n", "{ns}", "-c", "DefaultCluster", "-t", "AdminTopic2"));
        all.add(new Command("topicList", sorted, "-n", "{ns}"));
        return all;
    }

    public static void main(String[] args) {
        try {
            if (args[0].equals("run")) {
                collect(new Side(args[1], args[2]), Path.of(args[3]));
                System.exit(0);
            }
            System.exit(compare(Path.of(args[1]), Path.of(args[2])));
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private static final String SEPARATOR = "\u0000";

    private static void collect(Side side, Path file) throws Exception {
        side.workload();
        List<String> views = new ArrayList<>();
        for (Command c : commands()) {
            List<String> line = new ArrayList<>();
            line.add(c.name);
            for (String w : c.args) {
                line.add(side.fill(w));
            }
            views.add(c.view.apply(run(line.toArray(new String[0]))));
        }
        Files.writeString(file, String.join(SEPARATOR, views));
    }

    /** A view of keys may have more on our side: keys that are ours alone. */
    private static boolean agree(Command c, String reference, String ours) {
        if (List.of("getBrokerConfig", "getNamesrvConfig", "brokerStatus").contains(c.name)) {
            return !reference.isEmpty() && List.of(ours.split("\n")).containsAll(List.of(reference.split("\n")));
        }
        return reference.equals(ours) && !reference.isEmpty();
    }

    private static int compare(Path referenceFile, Path ourFile) throws Exception {
        String[] reference = Files.readString(referenceFile).split(SEPARATOR, -1);
        String[] ours = Files.readString(ourFile).split(SEPARATOR, -1);
        int passed = 0;
        int failed = 0;
        for (int i = 0; i < commands().size(); i++) {
            Command c = commands().get(i);
            if (agree(c, reference[i], ours[i])) {
                passed++;
                System.out.println("PASS mqadmin/" + c.name);
            } else {
                failed++;
                System.out.println("FAIL mqadmin/" + c.name + " " + String.join(" ", c.args));
                System.out.println("--- reference\n" + reference[i] + "\n--- ours\n" + ours[i] + "\n---");
            }
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 ? 0 : 1;
    }
}
