import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * Wire keeps what a client is answered on the wire, to the requests of the thread that listens: heartbeats and the like of the client's
 * own threads come when they come. A client's classes pass over names that they do not know; here they are seen.
 */
final class Wire implements RPCHook {
    private static final Pattern NAME = Pattern.compile("\"([^\"\\\\]+)\"\\s*:\\s*(.)");

    private final Set<Integer> asked = ConcurrentHashMap.newKeySet();
    private final List<String> answers = new ArrayList<>();
    private volatile Thread listener;

    /** listen forgets what was, and keeps what this thread asks from now on. */
    void listen() {
        synchronized (answers) {
            answers.clear();
        }
        asked.clear();
        listener = Thread.currentThread();
    }

    List<String> heard() {
        listener = null;
        synchronized (answers) {
            return new ArrayList<>(answers);
        }
    }

    @Override
    public void doBeforeRequest(String remoteAddr, RemotingCommand request) {
        if (Thread.currentThread() == listener) {
            asked.add(request.getOpaque());
        }
    }

    @Override
    public void doAfterResponse(String remoteAddr, RemotingCommand request, RemotingCommand response) {
        if (!asked.remove(request.getOpaque()) || response == null) {
            return;
        }
        Map<String, String> fields = new TreeMap<>(response.getExtFields() == null ? Map.of() : response.getExtFields());
        String line = request.getCode() + " to " + remoteAddr + ": " + response.getCode() + " " + response.getRemark() + " " + fields + " " + body(response.getBody());
        synchronized (answers) {
            answers.add("wire " + line);
        }
    }

    /** body says of JSON which names it has, and whether their values are texts ("), objects, lists, truths or numbers. */
    private static String body(byte[] body) {
        if (body == null || body.length == 0) {
            return "-";
        }
        String text = new String(body, StandardCharsets.UTF_8);
        if (!text.startsWith("{") && !text.startsWith("[")) {
            return "binary";
        }
        TreeSet<String> names = new TreeSet<>();
        Matcher m = NAME.matcher(text);
        while (m.find()) {
            char first = m.group(2).charAt(0);
            names.add(m.group(1) + ":" + (Character.isDigit(first) || first == '-' ? "n" : first));
        }
        return names.toString();
    }
}
