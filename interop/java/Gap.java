/** Gap is the longest time between two events since reset. */
final class Gap {
    private long last = System.nanoTime();
    private long longest;
    private int events; // in all

    synchronized void event() {
        events++;
        long now = System.nanoTime();
        longest = Math.max(longest, now - last);
        last = now;
    }

    synchronized void reset() {
        last = System.nanoTime();
        longest = 0;
    }

    synchronized int events() {
        return events;
    }

    synchronized long millis() {
        return Math.max(longest, System.nanoTime() - last) / 1_000_000;
    }
}
