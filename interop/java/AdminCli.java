import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.serializer.SerializerFeature;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/**
 * AdminCli runs commands of stock's mqadmin and of "ringmq admin" with the same words against one broker, and compares what they
 * print after addresses, ids and times have been replaced by their kind. A command that stock refuses must be refused by ours too.
 * Arguments: name server, broker, path of the binary.
 */
public final class AdminCli {
    private static final String TOPIC = AdminDiff.TOPIC;
    private static final String GROUP = AdminDiff.GROUP;

    /** refused is the view of a command that cannot be done: the words are each tool's own. */
    private static final UnaryOperator<String> REFUSED = s -> s.contains("Exception") || s.startsWith("ringmq: ") ? "refused" : s;

    private static AdminDiff.Command command(String name, UnaryOperator<String> view, String... args) {
        String[] all = new String[args.length + 2];
        all[0] = "-n";
        all[1] = "{ns}";
        System.arraycopy(args, 0, all, 2, args.length);
        return new AdminDiff.Command(name, view, all);
    }

    /** before are commands that look at what the workload left, before anything else is done. */
    private static List<AdminDiff.Command> before() {
        List<AdminDiff.Command> all = new ArrayList<>();
        UnaryOperator<String> plain = AdminDiff::plain;
        UnaryOperator<String> sorted = AdminDiff::sorted;
        UnaryOperator<String> shape = AdminDiff::shape;
        all.add(command("topicList", sorted, "-c"));
        all.add(command("topicRoute", plain, "-t", TOPIC, "-l"));
        all.add(command("topicStatus", plain, "-t", TOPIC, "-c", "DefaultCluster"));
        all.add(command("consumerProgress", shape));
        all.add(command("consumerProgress", sorted, "-g", GROUP, "-t", TOPIC));
        all.add(command("consumerProgress", shape, "-g", GROUP, "-s", "true"));
        all.add(command("brokerConsumeStats", sorted, "-b", "{broker}"));
        all.add(command("consumerConnection", sorted, "-g", GROUP, "-b", "{broker}"));
        all.add(command("producer", shape, "-b", "{broker}"));
        all.add(command("clusterList", shape, "-m"));
        all.add(command("getConsumerConfig", plain, "-g", GROUP));
        all.add(command("haStatus", plain, "-b", "{broker}"));
        all.add(command("haStatus", plain, "-c", "DefaultCluster"));
        all.add(command("getBrokerEpoch", REFUSED, "-b", "broker-a"));
        all.add(command("brokerStatus", s -> AdminDiff.keys(s.replaceAll("(?m)^127\\S+ +", "")), "-c", "DefaultCluster"));
        all.add(command("getColdDataFlowCtrInfo", shape, "-b", "{broker}"));
        all.add(command("queryMsgById", plain, "-t", TOPIC, "-i", "{uniqueId}"));
        all.add(command("queryMsgById", plain, "-t", TOPIC, "-i", "{offsetId}", "-f", "UTF-8"));
        all.add(command("queryMsgById", plain, "-t", TOPIC, "-i", "{offsetId},{uniqueId}"));
        all.add(command("queryMsgByKey", REFUSED, "-t", TOPIC, "-k", "no-such-key"));
        all.add(command("queryMsgByUniqueKey", plain, "-t", TOPIC, "-i", "{uniqueId}", "-a"));
        all.add(command("queryMsgByOffset", plain, "-t", TOPIC, "-b", "broker-a", "-i", "1", "-o", "2", "-f", "UTF-8"));
        all.add(command("printMsg", sorted, "-t", TOPIC, "-s", "even", "-d", "false"));
        all.add(command("printMsg", sorted, "-t", TOPIC, "-b", "0", "-e", "1"));
        all.add(command("printMsgByQueue", plain, "-t", TOPIC, "-a", "broker-a", "-i", "0", "-f", "true"));
        all.add(command("consumeMessage", sorted, "-t", TOPIC, "-c", "200"));
        all.add(command("consumeMessage", sorted, "-t", TOPIC, "-b", "broker-a", "-i", "0"));
        all.add(command("queryCq", shape, "-t", TOPIC, "-q", "0", "-i", "0", "-g", GROUP));
        all.add(command("queryMsgTraceById", REFUSED, "-i", "{uniqueId}"));
        return all;
    }

    /** after are commands that change things; each is done twice, so it must say the same the second time. */
    private static List<AdminDiff.Command> after() {
        List<AdminDiff.Command> all = new ArrayList<>();
        UnaryOperator<String> plain = AdminDiff::plain;
        UnaryOperator<String> sorted = AdminDiff::sorted;
        UnaryOperator<String> shape = AdminDiff::shape;
        all.add(command("updateTopic", plain, "-b", "{broker}", "-t", "CliTopic", "-r", "4", "-w", "4", "-p", "4", "-a", "+message.type=NORMAL"));
        all.add(command("updateTopic", plain, "-c", "DefaultCluster", "-t", "CliOrdered", "-o", "true", "-u", "true"));
        all.add(command("updateOrderConf", plain, "-t", "CliOrdered", "-m", "get"));
        all.add(command("updateOrderConf", plain, "-t", "CliOrdered", "-m", "put", "-v", "broker-a:2"));
        all.add(command("updateOrderConf", plain, "-t", "CliOrdered", "-m", "delete"));
        all.add(command("updateSubGroup", plain, "-b", "{broker}", "-g", "CliGroup", "-r", "3", "-d", "true"));
        all.add(command("updateSubGroup", plain, "-c", "DefaultCluster", "-g", "CliGroup", "-q", "2"));
        all.add(command("cloneGroupOffset", plain, "-s", GROUP, "-d", "CliGroup", "-t", TOPIC));
        all.add(command("resetOffsetByTime", sorted, "-g", GROUP, "-t", TOPIC, "-s", "1000"));
        all.add(command("resetOffsetByTime", plain, "-g", GROUP, "-t", TOPIC, "-s", "0", "-b", "{broker}", "-q", "0", "-o", "1"));
        all.add(command("skipAccumulatedMessage", sorted, "-g", GROUP, "-t", TOPIC));
        all.add(command("wipeWritePerm", plain, "-b", "broker-a"));
        all.add(command("topicRoute", plain, "-t", TOPIC));
        all.add(command("addWritePerm", plain, "-b", "broker-a"));
        all.add(command("updateKvConfig", plain, "-s", "CLI", "-k", "a", "-v", "b"));
        all.add(command("deleteKvConfig", plain, "-s", "CLI", "-k", "a"));
        all.add(command("updateNamesrvConfig", plain, "-k", "scanNotActiveBrokerInterval", "-v", "5000"));
        all.add(command("updateColdDataFlowCtrGroupConfig", plain, "-b", "{broker}", "-g", GROUP, "-v", "1000000"));
        all.add(command("removeColdDataFlowCtrGroupConfig", plain, "-b", "{broker}", "-g", GROUP));
        all.add(command("setCommitLogReadAheadMode", plain, "-b", "{broker}", "-m", "0"));
        all.add(command("resetMasterFlushOffset", plain, "-b", "{broker}", "-o", "0"));
        all.add(command("sendMsgStatus", s -> AdminDiff.shape(s.replaceAll("queueId=\\d", "queueId=<any>").replaceAll("(?m)^rt=.*\\R?", "rt\n")), "-b", "broker-a", "-c", "2"));
        all.add(command("checkMsgSendRT", shape, "-t", TOPIC, "-a", "3"));
        all.add(command("exportMetadata", plain, "-b", "{broker}", "-t", "-f", "/tmp"));
        all.add(command("exportConfigs", plain, "-c", "DefaultCluster", "-f", "/tmp"));
        all.add(command("exportMetrics", s -> plain.apply(s) + "\n" + exported("/tmp/metrics.json"), "-c", "DefaultCluster", "-f", "/tmp"));
        all.add(command("deleteSubGroup", plain, "-c", "DefaultCluster", "-g", "CliGroup", "-r", "true"));
        all.add(command("deleteTopic", plain, "-t", "CliTopic", "-c", "DefaultCluster"));
        return all;
    }

    /** Tools of stock that keep a client in a variable of their class work once in a process. */
    private static final List<String> FRESH = List.of("consumeMessage", "queryMsgByUniqueKey");

    private static String fresh(List<String> words) throws Exception {
        List<String> line = new ArrayList<>(List.of("java", "-Xmx256m", "-Drocketmq.client.logRoot=" + System.getProperty("rocketmq.client.logRoot"), "-cp",
            System.getProperty("java.class.path"), "org.apache.rocketmq.tools.command.MQAdminStartup"));
        line.addAll(words);
        return output(line).replaceAll("(?m)^\\s+(at |\\.\\.\\. ).*\\R?", "");
    }

    private static String ours(Path binary, List<String> words) throws Exception {
        List<String> line = new ArrayList<>(List.of(binary.toString(), "admin"));
        line.addAll(words);
        return output(line);
    }

    private static String output(List<String> line) throws Exception {
        Process p = new ProcessBuilder(line).redirectErrorStream(true).start();
        String text = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!p.waitFor(30, TimeUnit.SECONDS)) {
            p.destroyForcibly();
            throw new IllegalStateException("it does not end: " + line);
        }
        return text;
    }

    /** shares keeps what is shared out, not to whom: stock's tool deals queues out in an order that clients do not have. */
    private static String shares(String s) {
        return String.join("\n", new TreeSet<>(List.of(s.strip().split("[,{}\\[\\]]+"))));
    }

    /** exported is what a tool has just written, whatever the order of its names; rates and the use of the disk move from look to look. */
    private static String exported(String file) {
        try {
            String text = JSON.toJSONString(JSON.parse(Files.readString(Path.of(file))), SerializerFeature.MapSortField, SerializerFeature.PrettyFormat);
            return text.replaceAll("(Tps\":)[0-9.]+", "$1<tps>").replaceAll("(DiskRatio\":)\"[0-9.]+\"", "$1<ratio>");
        } catch (IOException e) {
            return "no file: " + e;
        }
    }

    public static void main(String[] args) {
        int passed = 0;
        int failed = 0;
        try {
            AdminDiff.Side side = new AdminDiff.Side(args[0], args[1]);
            side.workload();
            List<AdminDiff.Command> all = new ArrayList<>(before());
            all.addAll(AdminDiff.commands());
            all.addAll(after());
            for (AdminDiff.Command c : all) {
                List<String> words = new ArrayList<>(List.of(c.name()));
                boolean wrong = false;
                for (String w : c.args()) {
                    words.add(side.fill(w));
                    wrong |= w.startsWith("NoSuch") || w.equals("brokerConfigPath");
                }
                UnaryOperator<String> view = wrong ? REFUSED : c.name().equals("allocateMQ") ? AdminCli::shares : c.view();
                // What is counted in the meantime differs from one look to the next: a few tries.
                String stock = "";
                String ours = "";
                for (int i = 0; i < 3; i++) {
                    stock = view.apply(FRESH.contains(c.name()) ? fresh(words) : AdminDiff.run(words.toArray(new String[0])));
                    ours = view.apply(ours(Path.of(args[2]), words));
                    if (stock.equals(ours)) {
                        break;
                    }
                }
                if (stock.equals(ours) && !stock.isEmpty()) {
                    passed++;
                    System.out.println("PASS cli/" + c.name());
                } else {
                    failed++;
                    System.out.println("FAIL cli/" + String.join(" ", words) + "\n--- stock\n" + stock + "\n--- ours\n" + ours + "\n---");
                }
            }
        } catch (Throwable e) {
            e.printStackTrace();
            failed++;
            System.out.println("FAIL cli/all: it ended early: " + e);
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.exit(failed == 0 ? 0 : 1);
    }
}
