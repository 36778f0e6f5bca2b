import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Deliveries are what the members of a group were given, in the order in which they wrote it. All of them append to one file: a pipe of
 * each would be read in any order, and what a killed member had written but nobody had read is thrown away with it.
 */
final class Deliveries implements AutoCloseable {
    /** One message as a member was given it. */
    record Delivery(String member, int queue, long offset, String body) { }

    final File file;
    private final List<Delivery> list = new ArrayList<>();
    private final AtomicBoolean stop = new AtomicBoolean();
    private final Thread reader;

    Deliveries() throws Exception {
        file = File.createTempFile("ringmq-group-", ".log");
        reader = new Thread(this::follow);
        reader.setDaemon(true);
        reader.start();
    }

    @Override
    public void close() throws Exception {
        stop.set(true);
        reader.join();
        file.delete();
    }

    private void follow() {
        byte[] bytes = new byte[1 << 16];
        int kept = 0;
        try (InputStream in = new FileInputStream(file)) {
            while (!stop.get()) {
                int n = in.read(bytes, kept, bytes.length - kept);
                if (n <= 0) {
                    Thread.sleep(10);
                    continue;
                }
                kept = takeLines(bytes, kept + n);
            }
        } catch (Exception e) {
            System.err.println("deliveries: " + e);
        }
    }

    /** takeLines leaves the beginning of a line that is not complete, and returns its length. */
    private synchronized int takeLines(byte[] bytes, int n) {
        int from = 0;
        for (int i = 0; i < n; i++) {
            if (bytes[i] == '\n') {
                String[] w = new String(bytes, from, i - from, StandardCharsets.UTF_8).split(" ", 5);
                if (w[0].equals("got")) {
                    list.add(new Delivery(w[1], Integer.parseInt(w[2]), Long.parseLong(w[3]), w[4]));
                }
                from = i + 1;
            }
        }
        System.arraycopy(bytes, from, bytes, 0, n - from);
        return n - from;
    }

    synchronized int size() {
        return list.size();
    }

    synchronized long by(String member) {
        return list.stream().filter(d -> d.member.equals(member)).count();
    }

    synchronized Set<String> bodies() {
        Set<String> bodies = new HashSet<>();
        list.forEach(d -> bodies.add(d.body));
        return bodies;
    }

    /** Per queue, a message is first delivered only after its predecessor was (a killed member's last one may come twice). */
    synchronized void firstInOrder() {
        Map<Integer, Long> highest = new HashMap<>();
        for (Delivery d : list) {
            long last = highest.getOrDefault(d.queue, -1L);
            Env.check(d.offset <= last + 1, "queue " + d.queue + ": offset " + d.offset + " delivered after " + last);
            highest.put(d.queue, Math.max(last, d.offset));
        }
    }
}
