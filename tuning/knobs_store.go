package tuning

import (
	"fmt"
	"slices"
	"strings"
)

const (
	freeEnough    = 10 * gib
	inodesEnough  = 100_000
	ext4DocSource = "Linux kernel documentation, ext4 General Information"
)

func storeArea() area {
	return area{name: "store", about: "The file system that the log lies on, which is the store's unless storePathCommitLog names a directory on another one: with -c broker.conf tune knows. Of the store's own one space and inodes are looked at then.", knobs: append(safeKnobs(), append(costKnobs(), roomKnobs()...)...)}
}

// safeKnobs are about what a file system keeps.
func safeKnobs() []knob {
	return []knob{
		{
			key: "filesystem", want: "ext4 or xfs, on a disk of its own where the load is high", danger: true, inside: true, files: []string{"/proc/self/mountinfo"},
			why: "The broker writes zeros ahead, overwrites them and syncs; ext4 and xfs then write the data and nothing else. A file system that copies on write makes every sync a new tree, one on the network " +
				"adds its round trips and its own idea of a lock, a container's overlay goes with the container, and tmpfs goes with the power. Power cuts are tested on ext4 and xfs.",
			source: "docs/DISK.md and interop/powerloss of this project; PostgreSQL writes its log so for the same reason", gain: "a sync is one write of the device", risk: "moving a store means stopping it", sure: Measured, judge: judgeType,
		},
		{
			key: "mount.barrier", want: "no nobarrier, no barrier=0", danger: true, inside: true, files: []string{"/proc/self/mountinfo"},
			why: "A barrier is what makes fdatasync empty the disk's own cache. Without it a sync returns sooner because it does less, and a power cut takes messages that were acknowledged. " +
				"A disk that says that its cache is safe is not asked to flush in any case. xfs has no such option since 4.19.",
			source: ext4DocSource, gain: "acknowledged messages survive a power cut", risk: "syncs take as long as they take", sure: Documented,
			judge: func(f *Facts) []finding { return without(f, "barriers are on", "barrier=1", "nobarrier", "barrier=0") },
		},
		{
			key: "mount.ro", want: "rw", danger: true, inside: true, files: []string{"/proc/self/mountinfo"},
			why:    "ext4 turns read-only by itself after an error (errors=remount-ro). The broker then serves what it has and takes nothing; the kernel's log says what happened.",
			source: ext4DocSource, gain: "messages can be stored", sure: Documented,
			judge: func(f *Facts) []finding { return without(f, "rw", "rw", "ro") },
		},
	}
}

// costKnobs are about what it makes of a write or a read.
func costKnobs() []knob {
	return []knob{
		{
			key: "mount.data", want: "data=ordered, the default", inside: true, files: []string{"/proc/self/mountinfo"},
			why:    "data=journal writes everything twice, first into the journal, and does without direct writes, which the broker zeroes segments with.",
			source: ext4DocSource, gain: "half of the bytes written", sure: Documented,
			judge: func(f *Facts) []finding {
				if f.Store.Type != "ext4" {
					return nil
				}
				r := without(f, "data=ordered", "data=ordered", "data=journal")
				if r[0].state == ByHand {
					r[0].here = "in /etc/fstab; it takes effect when the file system is mounted next, remounting is refused"
				}
				return r
			},
		},
		{
			key: "mount.sync", want: "no sync", inside: true, files: []string{"/proc/self/mountinfo"},
			why:    "With sync every write of every file waits for the disk: queue and index files too, which the broker writes together once a second, and syncs when it has to.",
			source: "mount(8)", gain: "only what has to wait for the disk does", sure: Documented,
			judge: func(f *Facts) []finding { return without(f, "not mounted with sync", "async", "sync") },
		},
		{
			key: "mount.atime", want: "noatime", inside: true, files: []string{"/proc/self/mountinfo"},
			why: "relatime, the default, writes the time of a read once after every write and once a day: each segment and each queue file that is read gets its inode written again. " +
				"noatime leaves it out. The broker looks at no access time.",
			source: "mount(8)", gain: "small: an inode a file and a day, and after each write", risk: "programs that look at access times, as some mailers do", sure: Documented, judge: judgeAtime,
		},
		{
			key: "mount.discard", want: "no discard; fstrim.timer instead", inside: true, files: []string{"/proc/self/mountinfo"},
			why: "With discard the file system tells the device about freed blocks while it commits. Retention deletes segments of 1 GiB, and on many disks a discard of that size holds up the writes beside it. " +
				"fstrim, once a week, tells the device the same at a quiet time.",
			source: "fstrim(8), ext4 and xfs documentation", gain: "no pause when segments expire, on devices where discards are slow", risk: "thin volumes get their space back later", sure: Judged,
			judge: func(f *Facts) []finding {
				if len(f.Store.Options) == 0 {
					return one(finding{})
				}
				r := finding{state: Good, now: "nodiscard"}
				if slices.Contains(f.Store.Options, "discard") {
					r.state, r.now, r.want = Consider, "discard", "nodiscard"
				}
				return one(r)
			},
		},
	}
}

// roomKnobs are about what it has left.
func roomKnobs() []knob {
	return []knob{
		{
			key: "space", want: fmt.Sprintf("at least %s and %d percent free, or what the ratios of the broker.conf that -c names leave", size(freeEnough), 100-stockRatios.Expired), danger: true, inside: true,
			why: "Above diskMaxUsedSpaceRatio (75 percent) expired segments are deleted at any hour, above diskSpaceCleanForciblyRatio (85) whatever their age, and above diskSpaceWarningLevelRatio (90) " +
				"nothing more is stored. A segment is 1 GiB, and the next one is made ahead. commitLogMaxBytes bounds the log by its size instead.",
			source: "the keys of broker.conf, which stock has too", gain: "no message is deleted before its time, none is refused", sure: Documented, judge: judgeSpace,
		},
		{
			key: "inodes", want: fmt.Sprintf("%d free or more", inodesEnough), danger: true, inside: true,
			why:    "Every queue of every topic has at least one file. ext4 fixes the number of inodes when the file system is made.",
			source: "mkfs.ext4(8)", gain: "new topics can be made", sure: Documented,
			judge: func(f *Facts) []finding {
				n := f.Store.FreeInodes
				if f.Store.Rest != nil { // which queues lie on
					n = f.Store.Rest.FreeInodes
				}
				if n < 0 || n == 0 && f.Store.Type == "btrfs" {
					return nil
				}
				r := finding{state: Good, now: fmt.Sprint(n)}
				if n < inodesEnough {
					r.state, r.want = ByHand, fmt.Sprintf("%d or more", inodesEnough)
				}
				return one(r)
			},
		},
	}
}

// without is good if none of the options is in force.
func without(f *Facts, good, want string, bad ...string) []finding {
	if len(f.Store.Options) == 0 {
		return one(finding{})
	}
	r := finding{state: Good, now: good}
	for _, o := range bad {
		if slices.Contains(f.Store.Options, o) {
			r.state, r.now, r.want = ByHand, o, want
			r.here = fmt.Sprintf("change it in /etc/fstab, or now: mount -o remount,%s %s", want, f.Store.Mount)
		}
	}
	return one(r)
}

func judgeType(f *Facts) []finding {
	s := &f.Store
	if s.Type == "" {
		return one(finding{})
	}
	r := finding{state: ByHand, now: s.Type, want: "ext4 or xfs", here: fmt.Sprintf("%s is mounted at %s", s.Source, s.Mount)}
	switch {
	case s.Type == "ext4" || s.Type == "xfs":
		r.state, r.want = Good, ""
	case s.Type == "overlay":
		r.here, r.want = "this is the container's own layer: what is stored goes with the container", "a volume on ext4 or xfs"
	case s.Type == "tmpfs" || s.Type == "ramfs":
		r.here = "this is memory: nothing acknowledged survives a restart"
	case strings.HasPrefix(s.Type, "nfs") || s.Type == "cifs" || s.Type == "9p" || strings.HasPrefix(s.Type, "fuse"):
		r.here = "the store is on another machine or behind another program: every sync goes there and back"
	case s.Type == "btrfs" || s.Type == "zfs" || s.Type == "bcachefs":
		r.here += "; it copies on write, so overwriting zeros saves nothing"
	default:
		r.state, r.want = Consider, "ext4 or xfs"
		r.here += "; nobody has tried it"
	}
	return one(r)
}

func judgeAtime(f *Facts) []finding {
	if len(f.Store.Options) == 0 {
		return one(finding{})
	}
	has := func(o string) bool { return slices.Contains(f.Store.Options, o) }
	switch {
	case has("noatime"):
		return one(finding{state: Good, now: "noatime"})
	case has("relatime"):
		return one(finding{state: Consider, now: "relatime", want: "noatime", here: fmt.Sprintf("in /etc/fstab, or now: mount -o remount,noatime %s", f.Store.Mount)})
	}
	return one(finding{state: ByHand, now: "strictatime", want: "noatime", here: fmt.Sprintf("every read writes an inode; in /etc/fstab, or now: mount -o remount,noatime %s", f.Store.Mount)})
}

// judgeSpace looks at each file system of the store: the fuller one decides what a broker does.
func judgeSpace(f *Facts) (all []finding) {
	s := &f.Store
	if r, ok := spaceOf(Room{s.TotalBytes, s.FreeBytes, s.FreeInodes}, s.Ratios.orStock(), freeEnough); ok {
		all = append(all, r)
	}
	if s.Rest == nil {
		return all
	}
	if r, ok := spaceOf(*s.Rest, s.Ratios.orStock(), 0); ok { // segments lie elsewhere
		r.key = "space.root"
		r.here += "; this is " + s.Dir + ", without the log"
		all = append(all, r)
	}
	return all
}

// spaceOf is the finding about one file system, on which so many bytes are to be free besides. ok is false where nothing is known of it.
func spaceOf(room Room, ratios Ratios, enough int64) (r finding, ok bool) {
	if room.TotalBytes <= 0 || room.FreeBytes < 0 {
		return r, false
	}
	used := int(100 - room.FreeBytes*100/room.TotalBytes)
	r = finding{state: Good, now: fmt.Sprintf("%s of %s free", size(room.FreeBytes), size(room.TotalBytes)), here: fmt.Sprintf("%d percent are used", used)}
	switch {
	case used >= ratios.Full:
		r.state, r.here = ByHand, r.here+": a broker stores nothing here"
	case used >= ratios.Forcibly:
		r.state, r.here = ByHand, r.here+": segments go whatever their age"
	case used >= ratios.Expired:
		r.state, r.here = ByHand, r.here+": expired segments go at once"
	case room.FreeBytes < enough:
		r.state = ByHand
	}
	if r.state == ByHand {
		r.want = fmt.Sprintf("%d percent free", 100-ratios.Expired)
		if enough > 0 {
			r.want = size(enough) + " and " + r.want
		}
	}
	return r, true
}
