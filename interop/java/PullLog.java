import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.ResponseCode;
import org.apache.rocketmq.remoting.protocol.header.PullMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.namesrv.GetRouteInfoRequestHeader;
import org.apache.rocketmq.remoting.protocol.route.BrokerData;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;

/**
 * PullLog records which broker of a pair served each pull of a topic that brought messages, and when the client was told of a route with the
 * master in it and of one without. It is the hook of a consumer.
 */
final class PullLog implements RPCHook {
    /** One pull that brought messages, or one that was sent. */
    private record Pull(long nanos, String broker, int queue) { }

    private final String topic;
    private final String master;
    private final String slave;
    private final List<Pull> served = new ArrayList<>();
    private final List<Pull> asked = new ArrayList<>();
    private Boolean listed; // whether the last route had the master
    private long listedSince;

    PullLog(String topic, String master, String slave) {
        this.topic = topic;
        this.master = master;
        this.slave = slave;
    }

    @Override
    public synchronized void doBeforeRequest(String addr, RemotingCommand request) {
        if (ofTopic(request)) {
            asked.add(new Pull(System.nanoTime(), addr, ((PullMessageRequestHeader) request.readCustomHeader()).getQueueId()));
        }
    }

    @Override
    public synchronized void doAfterResponse(String addr, RemotingCommand request, RemotingCommand response) {
        if (response == null || response.getCode() != ResponseCode.SUCCESS) {
            return;
        }
        if (ofTopic(request)) {
            served.add(new Pull(System.nanoTime(), addr, ((PullMessageRequestHeader) request.readCustomHeader()).getQueueId()));
        } else if (request.getCode() == RequestCode.GET_ROUTEINFO_BY_TOPIC && request.readCustomHeader() instanceof GetRouteInfoRequestHeader h
            && h.getTopic().equals(topic)) {
            boolean there = false;
            for (BrokerData b : TopicRouteData.decode(response.getBody(), TopicRouteData.class).getBrokerDatas()) {
                there |= master.equals(b.getBrokerAddrs().get(MixAll.MASTER_ID));
            }
            if (listed == null || listed != there) {
                listed = there;
                listedSince = System.nanoTime();
            }
        }
    }

    private static boolean isPull(RemotingCommand request) {
        return request.getCode() == RequestCode.PULL_MESSAGE || request.getCode() == RequestCode.LITE_PULL_MESSAGE;
    }

    private boolean ofTopic(RemotingCommand request) {
        return isPull(request) && request.readCustomHeader() instanceof PullMessageRequestHeader h && h.getTopic().equals(topic);
    }

    /** How many pulls a broker has served since a moment. */
    synchronized int servedBy(String broker, long since) {
        return (int) served.stream().filter(p -> p.nanos >= since && p.broker.equals(broker)).count();
    }

    /** The queues whose pulls a broker has served since a moment. */
    private synchronized Set<Integer> queuesOf(String broker, long since) {
        Set<Integer> queues = new HashSet<>();
        served.stream().filter(p -> p.nanos >= since && p.broker.equals(broker)).forEach(p -> queues.add(p.queue));
        return queues;
    }

    /** When the route came to have the master, or not to have it, as it does now; 0: it is the other way round. */
    private synchronized long since(boolean there) {
        return listed != null && listed == there ? listedSince : 0;
    }

    private synchronized long millisToFirst(String broker, long since) {
        return served.stream().filter(p -> p.nanos >= since && p.broker.equals(broker)).mapToLong(p -> (p.nanos - since) / 1_000_000).findFirst().orElse(-1);
    }

    private synchronized int asksOf(String broker, long since) {
        return (int) asked.stream().filter(p -> p.nanos >= since && p.broker.equals(broker)).count();
    }

    /** The master serves every pull: at least so many that bring messages, and of every queue. */
    String masterServes(int least, int queues, long limit) throws Exception {
        long from = System.nanoTime();
        Env.until(limit, least + " pulls of " + queues + " queues served by the master", () -> servedBy(master, from) >= least && queuesOf(master, from).size() == queues);
        Env.equal(0, servedBy(slave, from), "pulls served by the slave beside a master that is there");
        return "pulls served: master " + servedBy(master, from) + ", slave 0";
    }

    /**
     * From the moment that the route has no master, every pull goes to the slave, and messages come from it within pause, for which the client
     * may wait behind a failed pull or in a suspension. The route is looked at every poll: it is to have lost a dead master at the next look.
     */
    String slaveServes(long killed, long poll, long pause, int queues) throws Exception {
        Env.until(poll + pause, "a route without the master", () -> since(false) >= killed);
        long told = since(false);
        Env.until(poll + pause, "a pull of each queue served by the slave", () -> queuesOf(slave, killed).size() == queues);
        // A pull whose broker was chosen just before the route was put in force.
        long settled = told + SETTLE_NANOS;
        Env.equal(0, asksOf(master, settled), "pulls sent to the master that is gone from the route");
        Env.equal(0, servedBy(master, settled), "pulls served by the master that is gone");
        long first = millisToFirst(slave, killed);
        Env.check(first >= 0 && first <= poll + pause, "the slave served its first pull " + first + " ms after the kill");
        return "the route lost the master after " + (told - killed) / 1_000_000 + " ms, the slave served its first pull after " + first + " ms";
    }

    private static final long SETTLE_NANOS = 300_000_000L;

    /** From the moment that the route has the master again, pulls of every queue go back to it, and none to the slave any more. */
    String masterAgain(long started, int least, int queues, long limit) throws Exception {
        Env.until(limit, "a route with the master", () -> since(true) >= started);
        long told = since(true);
        Env.until(limit, "a pull of each queue served by the master again", () -> queuesOf(master, told).size() == queues);
        long all = lastFirst(told);
        String text = masterServes(least, queues, limit);
        return "all queues back at the master " + (all - told) / 1_000_000 + " ms after the route had it; " + text;
    }

    /** When the last of the queues was first served by the master since a moment. */
    private synchronized long lastFirst(long since) {
        Map<Integer, Long> first = new HashMap<>();
        served.stream().filter(p -> p.nanos >= since && p.broker.equals(master)).forEach(p -> first.putIfAbsent(p.queue, p.nanos));
        return first.values().stream().mapToLong(n -> n).max().orElse(since);
    }
}
