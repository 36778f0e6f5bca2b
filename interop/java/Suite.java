import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Suite runs the cases named on its command line (all of them by default) and ends with "N passed, N failed". */
public final class Suite {
    interface Case {
        void run(Env env) throws Exception;
    }

    private final Map<String, Case> together = new LinkedHashMap<>();
    private final Map<String, Case> alone = new LinkedHashMap<>();

    /** A case that may run beside others. */
    void add(String name, Case c) {
        together.put(name, c);
    }

    /** A case that needs the broker for itself (it restarts it). */
    void addAlone(String name, Case c) {
        alone.put(name, c);
    }

    private static boolean run(String name, Case c) {
        long from = System.nanoTime();
        String why = null;
        try (Env env = new Env(name)) {
            c.run(env);
        } catch (Throwable e) {
            why = e.toString();
            e.printStackTrace();
        }
        System.out.printf("%s java/%s (%.1f s)%s%n", why == null ? "PASS" : "FAIL", name,
            (System.nanoTime() - from) / 1e9, why == null ? "" : ": " + why);
        return why == null;
    }

    public static void main(String[] args) throws Exception {
        Suite suite = new Suite();
        SendCases.add(suite);
        ConsumeCases.add(suite);
        GroupCases.add(suite);
        RetryCases.add(suite);
        OffsetCases.add(suite);
        QueryCases.add(suite);
        List<String> wanted = List.of(args);
        ExecutorService pool = Executors.newFixedThreadPool(Integer.getInteger("parallel", 8));
        List<Future<Boolean>> results = new ArrayList<>();
        int passed = 0;
        int failed = 0;
        for (Map.Entry<String, Case> e : suite.together.entrySet()) {
            if (wanted.isEmpty() || wanted.contains(e.getKey())) {
                results.add(pool.submit(() -> run(e.getKey(), e.getValue())));
            }
        }
        for (Future<Boolean> r : results) {
            if (r.get()) {
                passed++;
            } else {
                failed++;
            }
        }
        pool.shutdown();
        for (Map.Entry<String, Case> e : suite.alone.entrySet()) {
            if (wanted.isEmpty() && !Env.CONTROL.isEmpty() || wanted.contains(e.getKey())) {
                if (run(e.getKey(), e.getValue())) {
                    passed++;
                } else {
                    failed++;
                }
            }
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.exit(failed == 0 && passed > 0 ? 0 : 1);
    }
}
