import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * PairAdmin asks a pair, and a broker without a slave beside it, with stock's mqadmin, and writes what is printed to a file ("collect", against a
 * stock pair); then it asks another pair the same and compares ("compare"). The last line is "N passed, N failed".
 *
 * Addresses: -Dnamesrv, -Dbrokers (master, slave and the other, separated by commas). Arguments: collect or compare, and the file.
 */
public final class PairAdmin {
    private static final String SEPARATOR = "\u0000";
    private static final long READY_MILLIS = 60_000;

    /** One command. More says that it prints a table of keys, in which ours may have some of its own besides stock's. */
    private record Look(String name, boolean more, UnaryOperator<String> view, String... words) { }

    private final String namesrv = System.getProperty("namesrv");
    private final String[] brokers = System.getProperty("brokers").split(",");

    private List<Look> looks() {
        String master = brokers[0];
        String slave = brokers[1];
        UnaryOperator<String> figures = this::figures;
        UnaryOperator<String> plain = this::plain;
        return List.of(
            new Look("haStatus-master", false, this::ha, "haStatus", "-b", master),
            new Look("haStatus-slave", false, figures, "haStatus", "-b", slave),
            new Look("haStatus-cluster", false, this::ha, "haStatus", "-c", "DefaultCluster"),
            new Look("clusterList", false, figures, "clusterList"),
            new Look("clusterList-more", false, figures, "clusterList", "-m"),
            new Look("brokerStatus-master", true, this::status, "brokerStatus", "-b", master),
            new Look("brokerStatus-slave", true, this::status, "brokerStatus", "-b", slave),
            new Look("brokerStatus-cluster", true, this::status, "brokerStatus", "-c", "DefaultCluster"),
            new Look("getBrokerEpoch", false, plain, "getBrokerEpoch", "-b", "broker-a"),
            new Look("getBrokerEpoch-cluster", false, plain, "getBrokerEpoch", "-c", "DefaultCluster"),
            new Look("getSyncStateSet-of-the-name-server", false, plain, "getSyncStateSet", "-a", namesrv, "-b", "broker-a"),
            new Look("getSyncStateSet-of-the-master", false, plain, "getSyncStateSet", "-a", master, "-b", "broker-a"),
            new Look("getSyncStateSet-of-the-slave", false, plain, "getSyncStateSet", "-a", slave, "-c", "DefaultCluster"));
    }

    /** named replaces addresses by who has them: which broker a line is about must be the same. */
    private String named(String s) {
        String[] names = {"<master>", "<slave>", "<other>"};
        for (int i = 0; i < names.length; i++) {
            s = s.replace(brokers[i], names[i]);
        }
        return s.replace(namesrv, "<namesrv>");
    }

    /** plain keeps everything but addresses that differ from run to run, places in the code, offsets in the log and times. */
    private String plain(String s) {
        return AdminDiff.plain(named(s)).replaceAll("\\(\\S+\\.java:\\d+\\)|\\[\\S+:\\d+\\]", "<place>").replaceAll("[ \\t]+", " ");
    }

    /** figures keeps the words and the ids of brokers, and of other figures only that they are there. Lines of a table of brokers are sorted: their order is that of a hash. */
    private String figures(String s) {
        return AdminDiff.shape(named(s).replaceAll("(broker-[ab])\\s+(\\d+)\\s+<", "$1 id_$2 <"));
    }

    /** ha keeps how many slaves there are and how many are in step beside what figures keeps. */
    private String ha(String s) {
        StringBuilder counts = new StringBuilder();
        s.lines().filter(l -> l.matches("#(InSync)?SlaveNum\\t\\d+")).forEach(l -> counts.append(l).append('\n'));
        return counts + figures(s);
    }

    private static final List<String> KEPT = List.of("brokerActive", "brokerVersion", "brokerVersionDesc", "commitLogMinOffset", "dispatchBehindBytes", "putMessageFailedTimes");

    /** status is a broker's own table: every key, and of its value the words and that there are figures; a few values are as they are. */
    private String status(String s) {
        Map<String, String> table = new TreeMap<>();
        for (String line : named(s).split("\n")) {
            String[] parts = line.split(" *: ", 2);
            if (parts.length == 2) {
                String key = parts[0].strip().replaceAll("commitLogDiskRatio_.*", "commitLogDiskRatio_<path>").replaceAll(" +", " ");
                String value = parts[1].strip();
                // Rates are of as long as the broker has run, up to three times: so many figures.
                table.put(key, KEPT.stream().anyMatch(key::endsWith) ? value : value.replaceAll("-?[0-9]+(\\.[0-9]+)?(E-?[0-9]+)?", "N").replaceAll("N( N)+", "N"));
            }
        }
        List<String> lines = new ArrayList<>();
        table.forEach((k, v) -> lines.add(k + ": " + v));
        return String.join("\n", lines);
    }

    private String look(Look l) {
        List<String> words = new ArrayList<>(List.of(l.words));
        words.addAll(List.of("-n", namesrv));
        return l.view.apply(AdminDiff.run(words.toArray(new String[0])));
    }

    /** ready waits until the name server lists all three, and the master a slave in step: what is asked is asked of pairs that are whole. */
    private void ready() throws Exception {
        Env.until(READY_MILLIS, "three brokers in the list", () -> {
            String list = named(AdminDiff.run("clusterList", "-n", namesrv));
            return list.contains("<master>") && list.contains("<slave>") && list.contains("<other>");
        });
        Env.until(READY_MILLIS, "a slave in step", () -> AdminDiff.run("haStatus", "-b", brokers[0], "-n", namesrv).contains(" OK "));
        // A broker that has just started has sampled nothing, and its figures are empty.
        for (String broker : brokers) {
            Env.until(READY_MILLIS, "a figure of " + broker, () -> AdminDiff.run("brokerStatus", "-b", broker, "-n", namesrv).lines()
                .anyMatch(line -> line.startsWith("putTps ") && line.matches(".*: *[0-9].*")));
        }
    }

    /** A table of ours may have more keys, and a value where stock's has null: putMessageDistributeTime of its slaves. */
    private static boolean agree(Look l, String reference, String ours) {
        if (reference.isBlank()) {
            return false;
        }
        if (!l.more) {
            return reference.equals(ours);
        }
        List<String> lines = List.of(ours.split("\n"));
        return reference.lines().allMatch(line -> lines.contains(line)
            || line.endsWith(": null") && ours.contains(line.substring(0, line.length() - "null".length())));
    }

    private int run(boolean collect, Path file) throws Exception {
        ready();
        List<String> views = new ArrayList<>();
        int passed = 0;
        int failed = 0;
        String[] reference = collect ? null : Files.readString(file).split(SEPARATOR, -1);
        for (Look l : looks()) {
            String view = look(l);
            views.add(view);
            if (collect) {
                continue;
            }
            String stock = reference[views.size() - 1];
            if (agree(l, stock, view)) {
                passed++;
                System.out.printf("PASS mqadmin/%s%n", l.name);
                continue;
            }
            failed++;
            System.out.printf("FAIL mqadmin/%s: not as stock prints it%n", l.name);
            System.err.printf("--- %s, stock%n%s%n--- ours%n%s%n---%n", l.name, stock, view);
        }
        if (collect) {
            Files.writeString(file, String.join(SEPARATOR, views));
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed;
    }

    public static void main(String[] args) {
        int failed = 1;
        try {
            failed = new PairAdmin().run(args[0].equals("collect"), Path.of(args[1]));
        } catch (Throwable e) {
            e.printStackTrace();
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
