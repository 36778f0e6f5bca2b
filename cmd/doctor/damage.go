package doctor

// judgeDamage is about what a broker of ours has found wrong with its own files. Stock's do not look, or do not tell.
func judgeDamage(b *brokerSeen) (all []Finding) {
	if n, told := number(b.Runtime["logGaps"]); told && n > 0 {
		all = append(all, broken("disk", "log-damaged", b.label(), "messages are lost in %s of its log, and no copy has given them back so far", plural(int(n), "place")).
			because("nobody can consume what lay there; what lies around it is served",
				"with a slave or a master of ours connected that has it, it is healed within a minute (%s says who is connected); else a backup may have it. The broker's log says where it is (\"message lost: "+
					"the commit log is damaged here\"), ringmq dump commitlog --wrong STORE what is there now. Look at the disk (smartctl, dmesg); docs/OPERATIONS.md has more, under Damage on the disk",
				adminCommand("haStatus", "-b", b.Addr)))
	}
	n, told := number(b.Runtime["queueFlushFailures"])
	if !told || n <= 0 {
		return all
	}
	const where = "its log says what could not be written, and why (\"flusher: trying again every second\"); "
	if b.Runtime["queueFlushFailing"] == "false" {
		return append(all, warning("disk", "queue-files-not-written", b.label(), "%s since its start; the last try went well", plural(int(n), "failure")).
			because("nothing is lost, it was tried again until it worked; what failed once may fail again", where+"look at this disk (smartctl, dmesg, df, df -i)"))
	}
	return append(all, broken("disk", "queue-files-not-written", b.label(), "%s since its start, the last try too", plural(int(n), "failure")).
		because("entries of queues wait in memory, and when that is full producers wait; a start after a crash has so much more of the log to read again",
			where+"make room on this disk (df, df -i), or replace it (smartctl, dmesg): it is tried again every second"))
}
