import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageQueue;

/** GroupCases: members of a group join, leave in order and are killed while a producer sends; nothing is lost, order is kept. */
final class GroupCases {
    static void add(Suite suite) {
        suite.add("group-concurrent-join-leave-kill", env -> run(env, "concurrent"));
        suite.add("group-orderly-join-leave-kill", env -> run(env, "orderly"));
    }

    /** One delivery as a member saw it, in the order in which all members' lines were read. */
    record Delivery(String member, int queue, long offset, String body) { }

    static final class Process1 {
        final Process process;
        final String name;

        Process1(Env env, String name, String mode, List<Delivery> log) throws Exception {
            this.name = name;
            ProcessBuilder b = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-Xmx128m", "-XX:TieredStopAtLevel=1",
                "-Dnamesrv=" + Env.NAMESRV, "-Drocketmq.client.logRoot=" + System.getProperty("rocketmq.client.logRoot", "/tmp"),
                "-cp", System.getProperty("java.class.path"), "Member", env.group, env.topic, mode, name);
            b.redirectError(ProcessBuilder.Redirect.DISCARD);
            process = b.start();
            env.keep(process::destroyForcibly);
            BufferedReader in = new BufferedReader(new InputStreamReader(process.getInputStream()));
            Thread reader = new Thread(() -> {
                try {
                    for (String line = in.readLine(); line != null; line = in.readLine()) {
                        String[] w = line.split(" ", 4);
                        if (w[0].equals("got")) {
                            log.add(new Delivery(name, Integer.parseInt(w[1]), Long.parseLong(w[2]), w[3]));
                        }
                    }
                } catch (Exception e) {
                    // The member was killed in the middle of a line.
                }
            });
            reader.setDaemon(true);
            reader.start();
        }

        void leave() throws Exception {
            process.getOutputStream().close();
            process.waitFor();
        }

        void kill() throws Exception {
            process.destroyForcibly().waitFor();
        }
    }

    private static long seenBy(List<Delivery> log, String member) {
        synchronized (log) {
            return log.stream().filter(d -> d.member.equals(member)).count();
        }
    }

    private static void run(Env env, String mode) throws Exception {
        env.createTopic(env.topic, 6);
        DefaultMQProducer p = env.producer();
        List<MessageQueue> queues = p.fetchPublishMessageQueues(env.topic);
        List<Delivery> log = Collections.synchronizedList(new ArrayList<>());
        AtomicBoolean stop = new AtomicBoolean();
        AtomicInteger sent = new AtomicInteger();
        Set<String> acknowledged = ConcurrentHashMap.newKeySet();
        Thread sender = new Thread(() -> {
            for (int i = 0; !stop.get(); i++) {
                try {
                    Env.send(p, Env.message(env.topic, null, null, "" + i), queues.get(i % queues.size()));
                    acknowledged.add("" + i);
                    sent.incrementAndGet();
                    Thread.sleep(4);
                } catch (Exception e) {
                    System.err.println(env.name + ": send " + i + ": " + e);
                }
            }
        });
        sender.start();
        Process1 a = new Process1(env, "a-" + env.topic, mode, log);
        Env.until(30_000, "the first member consumes", () -> seenBy(log, a.name) > 20);
        Process1 b = new Process1(env, "b-" + env.topic, mode, log);
        Env.until(45_000, "the second member gets a share", () -> seenBy(log, b.name) > 20);
        Process1 c = new Process1(env, "c-" + env.topic, mode, log);
        Env.until(45_000, "the third member gets a share", () -> seenBy(log, c.name) > 20);
        b.leave();
        long beforeKill = seenBy(log, a.name);
        Env.until(45_000, "the first member goes on", () -> seenBy(log, a.name) > beforeKill + 20);
        c.kill();
        Thread.sleep(2_000);
        stop.set(true);
        sender.join();
        Env.until(90_000, "every acknowledged message is consumed", () -> {
            Set<String> bodies = ConcurrentHashMap.newKeySet();
            synchronized (log) {
                log.forEach(d -> bodies.add(d.body));
            }
            return bodies.containsAll(acknowledged);
        });
        a.leave();
        if (mode.equals("orderly")) {
            firstDeliveriesInOrder(log);
        }
        System.out.println(env.name + ": sent " + sent.get() + ", delivered " + log.size());
    }

    /** Per queue, a message is first delivered only after its predecessor was (a killed member's last one may come twice). */
    private static void firstDeliveriesInOrder(List<Delivery> log) {
        Map<Integer, Long> highest = new HashMap<>();
        synchronized (log) {
            for (Delivery d : log) {
                long last = highest.getOrDefault(d.queue, -1L);
                Env.check(d.offset <= last + 1, "queue " + d.queue + ": offset " + d.offset + " delivered after " + last);
                highest.put(d.queue, Math.max(last, d.offset));
            }
        }
    }
}
