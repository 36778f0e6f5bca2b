package doctor

import (
	"strconv"
	"strings"
	"time"
)

// judgeEngine says which engine writes the log, and why.
func judgeEngine(b *brokerSeen) []Finding {
	engine, why := b.Runtime["diskEngine"], b.Runtime["diskEngineReason"]
	switch {
	case engine == "" && (b.Config == nil || b.ours()):
		return []Finding{unknown("disk", "disk-engine-not-told", b.label(), "the broker does not tell it").
			because("it decides how fast acknowledged messages are on disk", "an older ringmq tells it at its start only; otherwise ask from an account or address that may read the configuration")}
	case engine == "":
		return []Finding{ok("disk", "disk-engine", b.label(), "mapped files, %s: stock has no other", b.Config["flushDiskType"])}
	case engine == "pwrite" && why != "configured" && !strings.HasPrefix(why, "synced "):
		fix := "allow io_uring: sysctl kernel.io_uring_disabled=0, a container's seccomp profile that permits it, and on a kernel older than 5.12 LimitMEMLOCK=64M in its unit"
		if strings.Contains(why, "built without") {
			fix = "run a release build (make build), which has io_uring"
		}
		return []Finding{warning("disk", "disk-engine-fallback", b.label(), "pwrite, because: %s", why).
			because("io_uring writes and syncs a batch with one call; without it a thread waits for each", "%s", fix)}
	}
	return []Finding{ok("disk", "disk-engine", b.label(), "%s (%s)", engine, why)}
}

// ratios of the disk in use, 0 to 100, from the broker's configuration.
func percentOf(b *brokerSeen, key string, otherwise float64) float64 {
	if n, ok := number(b.Config[key]); ok && n > 0 && n <= 100 {
		return float64(n)
	}
	return otherwise
}

// judgeSpace compares how full the disk is with what the broker does about it.
func judgeSpace(b *brokerSeen) []Finding {
	used, err := strconv.ParseFloat(b.Runtime["commitLogDiskRatio"], 64)
	if err != nil || used < 0 || used > 1 {
		return []Finding{unknown("disk", "disk-use-not-told", b.label(), "commitLogDiskRatio is %q", b.Runtime["commitLogDiskRatio"]).
			because("a full disk stops the broker", "look with df on its host; -1 or nothing means that the broker cannot see its directory")}
	}
	for _, f := range strings.Fields(b.Runtime["consumeQueueDiskRatio"]) {
		if q, err := strconv.ParseFloat(f, 64); err == nil {
			used = max(used, q)
		}
	}
	used *= 100
	clean, force, full := percentOf(b, "diskMaxUsedSpaceRatio", 75), percentOf(b, "diskSpaceCleanForciblyRatio", 85), percentOf(b, "diskSpaceWarningLevelRatio", 90)
	fix := "free space on that disk, lower fileReservedTime, or give the store a larger one"
	switch {
	case used >= full:
		return []Finding{broken("disk", "disk-full", b.label(), "%.0f %% used; from %.0f %% on nothing is stored", used, full).
			because("sends are refused with code 14 until there is room", "%s", fix)}
	case used >= force:
		return []Finding{warning("disk", "disk-nearly-full", b.label(), "%.0f %% used; from %.0f %% on the oldest messages go whatever their age, from %.0f %% on nothing is stored", used, force, full).
			because("messages are deleted before fileReservedTime is over, consumed or not", "%s", fix)}
	case used >= clean:
		return []Finding{warning("disk", "disk-cleaned-at-any-hour", b.label(), "%.0f %% used; from %.0f %% on expired messages go at any hour", used, clean).
			because("deletion runs beside the load, and there is little left until messages go before their time", "%s", fix)}
	}
	return []Finding{ok("disk", "disk-space", b.label(), "%.0f %% used%s", used, freeText(b))}
}

func freeText(b *brokerSeen) string {
	if _, free, ok := capacityOf(b.Runtime["commitLogDirCapacity"]); ok {
		return ", " + sizeText(free) + " free"
	}
	return ""
}

// capacityOf reads "Total : 1.0 TiB, Free : 2.0 GiB."
func capacityOf(text string) (total, free int64, ok bool) {
	left, right, found := strings.Cut(strings.TrimSuffix(strings.TrimSpace(text), "."), ",")
	_, t, good := strings.Cut(left, ":")
	_, f, fine := strings.Cut(right, ":")
	if !found || !good || !fine {
		return 0, 0, false
	}
	total, good = sizeOf(t)
	free, fine = sizeOf(f)
	return total, free, good && fine
}

// judgeRetention extrapolates the log's growth to the time that messages are to be kept.
func judgeRetention(b *brokerSeen) []Finding {
	first, a := number(b.Runtime["earliestMessageTimeStamp"])
	low, c := number(b.Runtime["commitLogMinOffset"])
	high, d := number(b.Runtime["commitLogMaxOffset"])
	hours, e := number(b.Config["fileReservedTime"])
	total, free, f := capacityOf(b.Runtime["commitLogDirCapacity"])
	if !a || !c || !d || !e || !f || hours <= 0 || total <= 0 {
		return nil
	}
	now, told := clockOf(b.Runtime)
	if !told {
		now = b.Asked
	}
	held := high - max(low, 0)
	bound, _ := number(b.Config["commitLogMaxBytes"])
	segment, _ := number(b.Config["mappedFileSizeCommitLog"])
	if bound > 0 && bound <= segment {
		return []Finding{warning("disk", "log-bound-within-a-segment", b.label(), "commitLogMaxBytes is %s, and a segment %s", sizeText(bound), sizeText(segment)).
			because("segments go as a whole: whenever a new one is begun all before it go, consumed or not, and next to nothing is kept",
				"set commitLogMaxBytes to what is to be kept and a segment more, or to 0: no limit")}
	}
	age := now.Sub(time.UnixMilli(first))
	keep := time.Duration(min(hours, 1<<20)) * time.Hour
	if first <= 0 || held <= 0 || age < 10*time.Minute {
		return []Finding{ok("disk", "retention", b.label(), "%s of log, too young to say how it grows", sizeText(max(held, 0)))}
	}
	need := float64(held) / age.Hours() * keep.Hours()
	// What the log may grow to before the broker deletes messages that are not old enough yet.
	room := float64(held) + float64(free) - float64(total)*(1-percentOf(b, "diskSpaceCleanForciblyRatio", 85)/100)
	if bound > 0 {
		room = min(room, float64(bound))
	}
	if need > room && age < keep {
		lasts := time.Duration(max(room, 0) / (float64(held) / age.Hours()) * float64(time.Hour))
		return []Finding{warning("disk", "retention-does-not-fit", b.label(), "%s in %s; %d h would need %s, and there is room for %s",
			sizeText(held), spanText(age), hours, sizeText(int64(need)), sizeText(int64(max(room, 0)))).
			because("messages will go after about "+spanText(lasts)+" already, consumed or not", "give the store a larger disk, or set fileReservedTime to what fits")}
	}
	return []Finding{ok("disk", "retention", b.label(), "%s of log in %s, %d h are kept", sizeText(held), spanText(age), hours)}
}
