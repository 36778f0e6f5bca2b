import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.remoting.protocol.body.ProducerInfo;

/**
 * View writes an object of the client's as text with every field of it, and in place of what must differ from one cluster to another the
 * name of its kind. Two brokers that answer alike have the same views.
 */
final class View {
    /** Fields that say when or how fast, or where in the log: not what. */
    private static final Set<String> UNSETTLED = Set.of("commitLogOffset", "msgId", "offsetMsgId", "bodyCRC", "jstack", "consumeFailedMsgs", "spentTimeMills", "random");

    private final String namesrv;
    private final String broker;
    private final String vip;

    View(String namesrv, String broker) {
        this.namesrv = namesrv;
        this.broker = broker;
        int colon = broker.lastIndexOf(':');
        vip = broker.substring(0, colon + 1) + (Integer.parseInt(broker.substring(colon + 1)) - 2);
    }

    /** plain replaces addresses, ids and times in a text by their kinds. */
    String plain(String s) {
        return s.replace(namesrv, "<namesrv>").replace(broker, "<broker>").replace(vip, "<vip>")
            .replaceAll("\\b([0-9A-F]{56}|[0-9A-F]{32})\\b", "<id>")
            .replaceAll("\\b1[6-9]\\d{11}\\b", "<ms>")
            .replaceAll("\\b20\\d{12}\\b", "<second>")
            .replaceAll("\\$\\$Lambda[^@]*", "<lambda>")
            .replaceAll("@[0-9a-f]{5,8}\\b", "@<hash>")
            .replaceAll("/?\\d+\\.\\d+\\.\\d+\\.\\d+:\\d+", "<address>")
            .replaceAll("\\d+\\.\\d+\\.\\d+\\.\\d+@", "<ip>@");
    }

    /** lines has a line for every entry and field. */
    List<String> lines(Object o) {
        List<String> out = new ArrayList<>();
        write("", o, out);
        return out;
    }

    private void write(String path, Object o, List<String> out) {
        if (o instanceof Map<?, ?> map) {
            Map<String, Object> byKey = new TreeMap<>();
            map.forEach((k, v) -> byKey.put(word(k), v));
            if (byKey.isEmpty()) {
                out.add(path + " = {}");
            }
            byKey.forEach((k, v) -> write(path + "[" + k + "]", v, out));
        } else if (o instanceof Collection<?> set && unordered(set)) {
            TreeSet<String> words = new TreeSet<>();
            set.forEach(v -> words.add(word(v)));
            out.add(path + " = " + set.size() + " " + words);
        } else if (o instanceof Collection<?> list) {
            int i = 0;
            for (Object v : list) {
                write(path + "[" + i++ + "]", v, out);
            }
            out.add(path + " has " + i);
        } else if (composed(o)) {
            for (Field f : fields(o.getClass())) {
                write(path + "." + f.getName(), UNSETTLED.contains(f.getName()) ? kind(get(f, o)) : get(f, o), out);
            }
        } else {
            out.add(path + " = " + scalar(o));
        }
    }

    /** A list of connections has the order of a hash table of theirs. */
    private static boolean unordered(Collection<?> c) {
        return c instanceof Set || c.stream().anyMatch(v -> v instanceof ProducerInfo);
    }

    /** word is an object in one line, as a key or a member of a set is. */
    private String word(Object o) {
        if (!composed(o)) {
            return scalar(o);
        }
        List<String> parts = new ArrayList<>();
        write("", o, parts);
        return String.join(" ", parts).replace(" = ", "=");
    }

    private String scalar(Object o) {
        if (o instanceof Double || o instanceof Float) {
            return "<fraction>";
        }
        if (o instanceof byte[] bytes) {
            return "\"" + plain(new String(bytes, StandardCharsets.UTF_8)) + "\"";
        }
        if (o instanceof SocketAddress) {
            return plain(o.toString().replaceFirst("^[^/]*/", ""));
        }
        return plain(String.valueOf(o));
    }

    private static String kind(Object o) {
        return o == null ? "null" : "<" + o.getClass().getSimpleName() + ">";
    }

    private static boolean composed(Object o) {
        return o != null && !(o instanceof Enum) && o.getClass().getName().startsWith("org.apache.rocketmq.");
    }

    private static List<Field> fields(Class<?> type) {
        List<Field> all = new ArrayList<>();
        for (Class<?> c = type; c != null && c != Object.class; c = c.getSuperclass()) {
            for (Field f : c.getDeclaredFields()) {
                if (!Modifier.isStatic(f.getModifiers()) && !Modifier.isTransient(f.getModifiers())) {
                    all.add(f);
                }
            }
        }
        return all;
    }

    private static Object get(Field f, Object o) {
        try {
            f.setAccessible(true);
            return f.get(o);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }
}
