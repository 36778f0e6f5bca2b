import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageQueue;

/** GroupCases: members of a group join, leave in order and are killed while a producer sends; nothing is lost, order is kept. */
final class GroupCases {
    /** A virtual machine starts, the member that has the queues gives them back 20 s later if it was at work on them, one looks again. */
    private static final long JOIN_MILLIS = 75_000;
    /** The lock of a killed member ends after 60 s, and the others look again after 20. */
    private static final long SETTLE_MILLIS = 120_000;

    static void add(Suite suite) {
        suite.add("group-concurrent-join-leave-kill", env -> run(env, "concurrent"));
        suite.add("group-orderly-join-leave-kill", env -> run(env, "orderly"));
    }

    /** A member in a process of its own. */
    private static final class Child {
        final Process process;
        final String name;

        Child(Env env, String name, String mode, Deliveries log) throws Exception {
            this.name = name;
            ProcessBuilder b = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-Xmx128m", "-XX:TieredStopAtLevel=1",
                "-Dnamesrv=" + Env.NAMESRV, "-Drocketmq.client.logRoot=" + System.getProperty("rocketmq.client.logRoot", "/tmp"),
                "-cp", System.getProperty("java.class.path"), "Member", env.group, env.topic, mode, name);
            b.redirectOutput(ProcessBuilder.Redirect.appendTo(log.file));
            b.redirectError(ProcessBuilder.Redirect.DISCARD);
            process = b.start();
            env.keep(process::destroyForcibly);
        }

        void leave() throws Exception {
            process.getOutputStream().close();
            process.waitFor();
        }

        void kill() throws Exception {
            process.destroyForcibly().waitFor();
        }
    }

    private static void run(Env env, String mode) throws Exception {
        env.createTopic(env.topic, 6);
        DefaultMQProducer p = env.producer();
        List<MessageQueue> queues = p.fetchPublishMessageQueues(env.topic);
        Deliveries log = env.keep(new Deliveries());
        AtomicBoolean stop = new AtomicBoolean();
        Set<String> acknowledged = ConcurrentHashMap.newKeySet();
        Thread sender = new Thread(() -> {
            for (int i = 0; !stop.get(); i++) {
                try {
                    Env.send(p, Env.message(env.topic, null, null, "" + i), queues.get(i % queues.size()));
                    acknowledged.add("" + i);
                    Thread.sleep(4);
                } catch (Exception e) {
                    System.err.println(env.name + ": send " + i + ": " + e);
                }
            }
        });
        sender.start();
        Child a;
        try {
            a = comeAndGo(env, mode, log);
            Thread.sleep(2_000);
        } finally {
            stop.set(true);
            sender.join();
        }
        Env.until(SETTLE_MILLIS, "every acknowledged message is consumed", () -> log.bodies().containsAll(acknowledged));
        a.leave();
        if (mode.equals("orderly")) {
            log.firstInOrder();
        }
        System.out.println(env.name + ": sent " + acknowledged.size() + ", delivered " + log.size());
    }

    /** comeAndGo returns the member that stays. */
    private static Child comeAndGo(Env env, String mode, Deliveries log) throws Exception {
        Child a = new Child(env, "a-" + env.topic, mode, log);
        Env.until(JOIN_MILLIS, "the first member consumes", () -> log.by(a.name) > 20);
        Child b = new Child(env, "b-" + env.topic, mode, log);
        Env.until(JOIN_MILLIS, "the second member gets a share", () -> log.by(b.name) > 20);
        Child c = new Child(env, "c-" + env.topic, mode, log);
        Env.until(JOIN_MILLIS, "the third member gets a share", () -> log.by(c.name) > 20);
        b.leave();
        long beforeKill = log.by(a.name);
        Env.until(JOIN_MILLIS, "the first member goes on", () -> log.by(a.name) > beforeKill + 20);
        c.kill();
        return a;
    }
}
