package tuning

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const sysfsBlock = "Linux kernel documentation, Queue sysfs files"

func deviceArea() area {
	queues := []string{"/sys/devices/", "/sys/block/"}
	return area{name: "device", about: "The block devices under the log, found through partitions, LVM and md. What reads ahead is the device that is mounted; what has a scheduler are those at the bottom.", knobs: []knob{
		{
			key: "block.*.scheduler", want: "none for NVMe and for a hypervisor's disks, mq-deadline for SATA and SAS", files: queues,
			why: "The commit log is one stream of writes with a sync behind each; there is little to sort. An NVMe device and a hypervisor have queues of their own and only lose time to a second one. " +
				"A disk with a head, and a SATA SSD with its 32 places, still gain from mq-deadline, which lets no reader starve. bfq is made for desktops. The word deadline of os.sh exists only on kernels before 5.0.",
			source: "Linux kernel documentation, Multi-Queue Block IO Queueing Mechanism; os.sh of RocketMQ", gain: "processor time and a few microseconds a write", risk: "without a scheduler nothing holds back one program that floods the disk", sure: Documented, judge: eachLeaf(judgeScheduler),
		},
		{
			key: "block.*.read_ahead_kb", want: "64 to 512 (1024 for a disk with a head); 128, the kernel's default, is what is set", files: queues,
			why: "Old messages of one queue lie among those of others, so reads jump. Every jump that looks like a stream reads this much, and all of it goes into the page cache in place of what is read next. " +
				"Some guides, and some vendors' tools, set 4096 or more for throughput of copies.",
			source: sysfsBlock + "; measured on ext4 over virtio, kernel 6.18, cold reads of 32 messages of 1.2 KB each, three rounds by turns",
			gain:   "a cold reader pushes less out of the page cache: with 128 instead of 8192 a message took 2.6 instead of 8.5 KiB from the disk where 32 lie together, 5.2 instead of 6.2 where eight queues take turns",
			risk:   "copies of whole files are a little slower", sure: Measured, judge: judgeReadAhead,
		},
		{
			key: "block.*.nomerges", want: "0", files: queues,
			why:    "The kernel joins neighbouring writes into one. The log writes neighbours all the time. Redpanda's tuner turns it off, since its writes are large and aligned already.",
			source: sysfsBlock + "; Redpanda's list of tuners", gain: "fewer, larger writes", risk: "some processor time, where nothing can be joined", sure: Judged,
			judge: eachLeaf(func(d *Device) (finding, bool) { return queueNumber(d, "nomerges", d.NoMerges, d.NoMerges == 0, 0) }),
		},
		{
			key: "block.*.rq_affinity", want: "1 or 2", files: queues,
			why:    "With 0 the end of a write is worked on wherever the interrupt falls, and the waiting thread is woken across the machine; 1 brings it near the processor that asked.",
			source: sysfsBlock, gain: "a wake-up less far", sure: Documented,
			judge: eachLeaf(func(d *Device) (finding, bool) { return queueNumber(d, "rq_affinity", d.Affinity, d.Affinity >= 1, 1) }),
		},
		{
			key: "block.*.nr_requests", want: "32 or more", files: queues,
			why: "How many requests may wait for the device. The log has one write in flight, so its own need is small; with too few, a cold reader's requests fill the queue and the log's write waits outside. " +
				"Much larger queues only move the waiting.",
			source: sysfsBlock, gain: "a write finds a place in the queue", sure: Judged,
			judge: eachLeaf(func(d *Device) (finding, bool) {
				return queueNumber(d, "nr_requests", d.Requests, d.Requests >= 32, 64)
			}),
		},
		{
			key: "block.*.wbt_lat_usec", want: "left as the kernel chose (2000, or 75000 for a disk with a head), not 0", files: queues,
			why: "Microseconds that a read may take before the kernel holds buffered write-back down, unless somebody waits for it. It keeps the write-back of queue files, and of other programs, from filling the device's queue " +
				"before a read, or a sync of the log, gets there. 0 turns it off; so does bfq.",
			source: sysfsBlock, gain: "reads and syncs wait less behind write-back", sure: Documented, judge: eachLeaf(judgeThrottle),
		},
		{
			key: "block.*.write_cache", want: "what the device has: never \"write through\" over a cache that is not safe", files: queues,
			why: "\"write back\" means that the device keeps writes in memory and the kernel tells it to flush at every sync. Writing \"write through\" here makes the kernel leave the flush out; " +
				"the device keeps its cache. That is safe only where the device's memory survives a power cut, and such a device reports it by itself.",
			source: sysfsBlock, gain: "none that lasts", risk: "acknowledged messages are lost at a power cut", sure: Documented,
			judge: eachLeaf(func(d *Device) (finding, bool) {
				if d.WriteCache == "" {
					return finding{}, false
				}
				r := finding{key: "*.write_cache", state: Note, now: d.WriteCache, here: "syncs flush the device"}
				if d.WriteCache == "write through" {
					r.here = "syncs flush nothing; make sure that it was the device that said so"
				}
				return r, true
			}),
		},
		{
			key: "probe-disk", want: "measured once on the device that the log lies on", inside: true,
			why: "Whether io_uring or ordinary writes are faster differs from device to device, and a look of some tens of milliseconds at every start can be wrong by half. " +
				"ringmq tune probe-disk measures it for some seconds and leaves the answer with the store, where the broker finds it; the limits on dirty pages follow it too.",
			source: "docs/adr/0001 of this project", gain: "the same engine after every start, and the right one", risk: "12 seconds of writes beside what else the device does", sure: Measured, judge: judgeMeasured,
		},
	}}
}

// eachLeaf asks a rule about every device that is made of no other.
func eachLeaf(rule func(d *Device) (finding, bool)) func(f *Facts) []finding {
	return func(f *Facts) []finding {
		var all []finding
		for i := range f.Devices {
			d := &f.Devices[i]
			if !d.Leaf || d.Kind == "loop" {
				continue
			}
			if r, ok := rule(d); ok {
				all = append(all, r.of(d))
			}
		}
		return all
	}
}

// of gives the finding the key of a device.
func (r finding) of(d *Device) finding {
	if name, ok := strings.CutPrefix(r.key, "*."); ok {
		r.key = "block." + d.Name + "." + name
	}
	return r
}

// queue is a value of a device's queue.
func (d *Device) queue(name, value string, moves ...string) []Write {
	at := "/sys/block/" + d.Name + "/queue/"
	w := Write{File: at + name, Value: value, Keep: []Line{{
		File: inUdev, Name: fmt.Sprintf(`ACTION=="add|change", SUBSYSTEM=="block", KERNEL=="%s", ATTR{queue/%s}`, d.Name, name), Value: value,
	}}}
	for _, m := range moves {
		w.Moves = append(w.Moves, at+m)
	}
	return []Write{w}
}

func queueNumber(d *Device, name string, now int64, good bool, want int64) (finding, bool) {
	if now < 0 {
		return finding{}, false
	}
	r := finding{key: "*." + name, state: Good, now: fmt.Sprint(now)}
	if !good {
		r.state, r.want = Change, fmt.Sprint(want)
		r.set = d.queue(name, r.want)
	}
	return r, true
}

func judgeScheduler(d *Device) (finding, bool) {
	if d.Scheduler == "" {
		return finding{}, false
	}
	r := finding{key: "*.scheduler", state: Good, now: d.Scheduler}
	want, fine := "mq-deadline", []string{"mq-deadline", "none"}
	switch {
	case d.Kind == "nvme":
		want, fine, r.here = "none", []string{"none"}, "an NVMe device"
	case d.Virtual:
		want, fine, r.here = "none", []string{"none"}, "a hypervisor's disk: the host sorts again"
	case d.Rotational:
		fine, r.here = []string{"mq-deadline", "bfq"}, "a disk with a head"
	default:
		r.here = "an SSD with one queue"
	}
	if slices.Contains(fine, d.Scheduler) {
		return r, true
	}
	r.want = want
	if !slices.Contains(d.Schedulers, want) {
		r.state = Consider
		r.here += fmt.Sprintf("; this kernel offers only %s", strings.Join(d.Schedulers, ", "))
		return r, true
	}
	r.state = Change
	moves := []string{"nr_requests", "wbt_lat_usec"} // a depth of the scheduler's own is reckoned by nr_requests, and put back after it
	for _, name := range d.SchedulerHas {
		moves = append(moves, "iosched/"+name)
	}
	r.set = d.queue("scheduler", want, moves...)
	return r, true
}

func judgeReadAhead(f *Facts) []finding {
	var all []finding
	for i := range f.Devices {
		d := &f.Devices[i]
		if !d.Top || d.ReadAheadKiB < 0 {
			continue
		}
		most := int64(512)
		if d.Rotational && !d.Virtual {
			most = 1024
		}
		if d.Kind == "md" { // it knows its stripes
			most = 4096
		}
		r, _ := queueNumber(d, "read_ahead_kb", d.ReadAheadKiB, d.ReadAheadKiB >= 64 && d.ReadAheadKiB <= most, 128)
		all = append(all, r.of(d))
	}
	return all
}

func judgeThrottle(d *Device) (finding, bool) {
	if d.ThrottleUs < 0 {
		return finding{}, false
	}
	r := finding{key: "*.wbt_lat_usec", state: Good, now: fmt.Sprint(d.ThrottleUs)}
	if d.ThrottleUs == 0 && d.Scheduler != "bfq" {
		want := 2000
		if d.Rotational {
			want = 75000
		}
		r.state, r.want = Change, fmt.Sprint(want)
		r.set = d.queue("wbt_lat_usec", r.want)
	}
	return r, true
}

func judgeMeasured(f *Facts) []finding {
	m := f.Store.Measured
	if m == nil {
		want := "ringmq tune probe-disk --store " + f.Store.Dir
		if f.Store.LogDir != "" && f.Store.LogDir != path.Join(f.Store.Dir, "commitlog") {
			want = "ringmq tune probe-disk -c broker.conf" // which says where the log is
		}
		return one(finding{state: Consider, now: "not measured", want: want, here: f.Store.MeasuredWhy})
	}
	here := fmt.Sprintf("write of 16 KiB and sync: fdatasync %.0f us, fsync %.0f us", m.Fdatasync.P50Us, m.Fsync.P50Us)
	if m.Dsync.Count > 0 {
		here += fmt.Sprintf(", DSYNC %.0f us", m.Dsync.P50Us)
	}
	if m.Uring.Count > 0 {
		here += fmt.Sprintf("; io_uring %.0f us, pwrite %.0f us", m.Uring.P50Us, m.Pwrite.P50Us)
	}
	if m.SequentialBytesPerSecond > 0 {
		here += fmt.Sprintf("; a stream of %s a second", size(m.SequentialBytesPerSecond))
	}
	return one(finding{state: Good, now: "measured on " + m.MeasuredAt.Format("2006-01-02"), here: here})
}
