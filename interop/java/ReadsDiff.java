import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * ReadsDiff asks a cluster everything that rocketmq-exporter and rocketmq-dashboard ask, after the same traffic ("run"), and compares what
 * two clusters answered ("compare"): names, kinds, codes and texts of errors, and the values that the traffic determines.
 * Arguments: run namesrv broker url-of-metrics file (and file.prom for the metrics), or compare reference-file our-file.
 */
public final class ReadsDiff {
    /** A sample of a minute's figures is taken every ten seconds, and the first pull that finds nothing is answered after fifteen. */
    private static final long SETTLED_MILLIS = 17_000;

    /** A difference that is meant: lines of answers to questions that one side has alone ("stock: " and "ours: " before them), and why. */
    private record Meant(Pattern question, Pattern line, String why) {
        Meant(String question, String line, String why) {
            this(Pattern.compile(question), Pattern.compile(line), why);
        }
    }

    private static final List<Meant> MEANT = List.of(
        new Meant("exporter/queryTopicConsumeByWho", ": .groupList = ",
            "stock 5.3.3 puts the topic where the groups that are online belong, and so has a group that is none and lacks those without progress"),
        new Meant("dashboard/messageTrackDetail", "^(stock|ours): (\\[1\\]|wire )", "stock looks at the group that is none, ours at the one that broadcasts"),
        new Meant("exporter/fetchBrokerRuntimeStats", "^ours: getTransferedTps = ", "the name of 4.x too, which older exporters cannot do without"),
        new Meant("exporter/examineConsumeStats ReadsBroadcast ", "\\.pullOffset = ",
            "how far a group has pulled is kept where its progress is: clients that broadcast keep that themselves"),
        new Meant("exporter/viewBrokerStatsData (GROUP_GET|TOPIC_PUT)_LATENCY \\d@", "",
            "no tool asks for times by queue, and they would cost every send and pull a look into a table"),
        new Meant("exporter/viewBrokerStatsData CHANNEL_ACTIVITY", "", "no tool asks; /metrics has connections"),
        new Meant("dashboard/getAllTopicConfig", ": .dataVersion.counter = ",
            "ours counts the topics that the broker itself makes, too; it is compared for being the same only"),
        new Meant("dashboard/getBrokerConfig", "^(stock|ours): (bindAddress|rocketmqHome|storePath\\w+) = ",
            "each broker has its own"),
        new Meant("dashboard/getBrokerConfig", ": flushDiskType = ", "SYNC_FLUSH is our default"),
        new Meant("dashboard/getBrokerConfig", ": bitMapLengthConsumeQueueExt = ", "stock works it out for its SQL filters, which are not here yet"),
        new Meant("dashboard/getBrokerConfig", ": transactionMetricFlushInterval = ", "the default of stock's next releases; there are no transactions here yet"),
        new Meant("dashboard/getBrokerConfig",
            "^ours: (adminAllowedCidrs|adminHttpAddress|client\\w+PerSecond|clientQuotaAction|coldReadMinBytesPerSecond|commitLogMaxBytes|diskEngine|haAllowedCidrs"
            + "|lagAlarm\\w+|maxConnections\\w*|metricsTopK|slowLogThresholdMs|suggestByResidency|tailCacheBytes) = ", "keys of ours"),
        new Meant("dashboard/getBrokerConfig",
            "^ours: ((acl|auth|init|inner|migrate|stateful|user)\\w+|(dLeger|preferred|storePath|readOnly|haMaster)\\w+|brokerConfigPath|clusterName|configName) = .*",
            "keys of stock's that its answer leaves out: of access control, of DLedger, and those without a value"),
        new Meant("dashboard/getBrokerConfig", "^ours: (combine\\w+|enable\\w+|popPollingMapExpireTimeSeconds|splitMetadataSize|writeWithoutMmap) = ",
            "keys of stock's next releases"));

    public static void main(String[] args) {
        try {
            if (args[0].equals("run")) {
                run(args[1], args[2], args[3], Path.of(args[4]));
                System.exit(0);
            }
            System.exit(compare(load(Path.of(args[1])), load(Path.of(args[2]))));
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String namesrv, String broker, String metrics, Path file) throws Exception {
        try (Reads reads = new Reads(namesrv, broker); ReadsTraffic traffic = new ReadsTraffic(reads.admin, namesrv, broker)) {
            traffic.connect();
            ExporterReads exporter = new ExporterReads(reads);
            traffic.round();
            Thread.sleep(SETTLED_MILLIS);
            exporter.figures("DefaultCluster");
            traffic.leave();
            traffic.round();
            Thread.sleep(SETTLED_MILLIS);
            exporter.tables();
            DashboardReads dashboard = new DashboardReads(reads, traffic);
            dashboard.pages();
            exporter.runtime();
            exporter.close();
            dashboard.changes();
            dashboard.close();
            Env.until(60_000, "end of clients that have closed", () -> onlyTrafficOf(reads));
            HttpRequest scrape = HttpRequest.newBuilder(URI.create(metrics)).build();
            Files.writeString(Path.of(file + ".prom"), HttpClient.newHttpClient().send(scrape, HttpResponse.BodyHandlers.ofString()).body());
            save(reads.answers, file);
        }
    }

    /** A stock broker takes its time to notice that a connection is gone. */
    private static boolean onlyTrafficOf(Reads reads) {
        try {
            return reads.admin.getAllProducerInfo(reads.broker).getData().values().stream().flatMap(List::stream)
                .noneMatch(p -> p.getClientId().matches(".*@reads-(puller|dashboard|test.*)"));
        } catch (Exception e) {
            return false;
        }
    }

    private static void save(Map<String, List<String>> answers, Path file) throws Exception {
        List<String> lines = new ArrayList<>();
        answers.forEach((question, answer) -> {
            lines.add("== " + question);
            answer.forEach(line -> lines.add(" " + line.replace("\n", "\\n")));
        });
        Files.write(file, lines);
    }

    private static Map<String, List<String>> load(Path file) throws Exception {
        Map<String, List<String>> answers = new LinkedHashMap<>();
        List<String> answer = List.of();
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith("== ")) {
                answer = new ArrayList<>();
                answers.put(line.substring(3), answer);
            } else {
                answer.add(line.substring(1));
            }
        }
        return answers;
    }

    private static int compare(Map<String, List<String>> reference, Map<String, List<String>> ours) {
        int passed = 0;
        int failed = 0;
        Set<Meant> used = new HashSet<>();
        Set<String> questions = new TreeSet<>(reference.keySet());
        questions.addAll(ours.keySet());
        for (String question : questions) {
            List<String> there = new ArrayList<>(reference.getOrDefault(question, List.of("not asked")));
            List<String> here = new ArrayList<>(ours.getOrDefault(question, List.of("not asked")));
            List<String> lost = new ArrayList<>(there);
            here.forEach(lost::remove);
            there.forEach(here::remove);
            Set<String> why = new TreeSet<>();
            lost.removeIf(line -> meant(question, "stock: " + line, used, why));
            here.removeIf(line -> meant(question, "ours: " + line, used, why));
            if (lost.isEmpty() && here.isEmpty()) {
                passed++;
                System.out.println("PASS reads/" + question + (why.isEmpty() ? "" : " (but " + String.join("; ", why) + ")"));
            } else {
                failed++;
                System.out.println("FAIL reads/" + question + "\n  stock: " + String.join("\n  stock: ", lost) + "\n  ours:  " + String.join("\n  ours:  ", here));
            }
        }
        for (Meant m : MEANT) {
            if (!used.contains(m)) {
                failed++;
                System.out.println("FAIL reads/no answer differs in " + m);
            }
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 ? 0 : 1;
    }

    private static boolean meant(String question, String line, Set<Meant> used, Set<String> why) {
        for (Meant m : MEANT) {
            if (m.question.matcher(question).find() && m.line.matcher(line).find()) {
                used.add(m);
                why.add(m.why);
                return true;
            }
        }
        return false;
    }
}
