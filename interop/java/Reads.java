import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Reads asks one cluster, and keeps the views of what it answered by what was asked. */
final class Reads implements AutoCloseable {
    final String namesrv;
    final String broker;
    final DefaultMQAdminExt admin;
    final View view;
    final Wire wire = new Wire();
    /** Of each question the lines of its answer. */
    final Map<String, List<String>> answers = new LinkedHashMap<>();

    /** The exporter and the dashboard ask the broker at its second port, the "VIP channel", unless they are told otherwise. */
    Reads(String namesrv, String broker) throws Exception {
        this.namesrv = namesrv;
        this.broker = broker;
        view = new View(namesrv, broker);
        admin = new DefaultMQAdminExt(wire, 10_000L);
        admin.setNamesrvAddr(namesrv);
        admin.setVipChannelEnabled(true);
        admin.setInstanceName("reads-admin");
        admin.start();
    }

    /** ask keeps the view of an answer, and returns the answer; null when there is none, or an exception, which is kept instead. */
    <T> T ask(String name, Callable<T> question) {
        List<String> lines = new ArrayList<>();
        T answer = null;
        wire.listen();
        try {
            answer = question.call();
            lines.addAll(answer instanceof PullResult p ? pulled(p) : view.lines(answer));
        } catch (Exception e) {
            lines.add("throws " + e.getClass().getSimpleName() + " " + code(e) + " " + view.plain(String.valueOf(e.getMessage())).replaceAll("\\s+", " "));
        }
        for (String w : wire.heard()) {
            lines.add(view.plain(w).replaceAll("\\s+", " "));
        }
        keep(name, lines);
        return answer;
    }

    void keep(String name, List<String> lines) {
        if (answers.put(name, lines) != null) {
            throw new IllegalStateException("asked twice: " + name);
        }
    }

    private List<String> pulled(PullResult p) {
        List<String> lines = new ArrayList<>(List.of(p.getPullStatus() + " next " + p.getNextBeginOffset() + " of " + p.getMinOffset() + " to " + p.getMaxOffset()));
        lines.addAll(view.lines(p.getMsgFoundList()));
        return lines;
    }

    private static String code(Exception e) {
        if (e instanceof MQClientException c) {
            return "code " + c.getResponseCode();
        }
        return e instanceof MQBrokerException b ? "code " + b.getResponseCode() : "";
    }

    @Override
    public void close() {
        admin.shutdown();
    }
}
