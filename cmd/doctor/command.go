package doctor

import (
	"slices"
	"strconv"
	"strings"

	"ringmq/netpoll/remoting"
)

// adminCommand is a command of ringmq admin in a fix, in quotation marks and for a shell. It runs as it stands: what it needs to know is in it.
func adminCommand(name string, words ...string) string {
	line := "ringmq admin " + name
	for _, w := range words {
		line += " " + shellWord(w)
	}
	return `"` + line + `"`
}

// shellWord is a word as a shell takes it for one.
func shellWord(w string) string {
	plain := func(ch rune) bool {
		return ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.ContainsRune("-_.,:/@%+=", ch)
	}
	if w != "" && !strings.ContainsFunc(w, func(ch rune) bool { return !plain(ch) }) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// atNames has a command ask these name servers.
func atNames(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{"-n", strings.Join(names, ";")}
}

// places say where something may be made that is nowhere yet: in which of the clusters, or on which broker where none tells its cluster. Each
// is a few words of a command.
func (v *visit) places() (all [][]string) {
	var clusters []string
	for _, b := range v.masters() {
		if b.Cluster != "" && !slices.Contains(clusters, b.Cluster) {
			clusters = append(clusters, b.Cluster)
			all = append(all, append([]string{"-c", b.Cluster}, atNames(v.o.NameServers)...))
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, b := range v.masters() {
		all = append(all, []string{"-b", b.Addr})
	}
	return all
}

// adminAt is a command for each of the places, for a sentence that goes on with it; "" where no place is known.
func adminAt(name string, places [][]string, words ...string) string {
	var all []string
	for _, p := range places {
		all = append(all, adminCommand(name, append(slices.Clone(words), p...)...))
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, " or ")
}

// groupCommand makes a group on a broker as c has it: what is not said is set to a default by the command. It is "" where c has something
// that no flag says, which would be lost.
func groupCommand(name, addr string, c remoting.SubscriptionGroupConfig) string {
	usual := remoting.NewSubscriptionGroupConfig(name)
	minutes := c.ConsumeTimeoutMinute == 0 || c.ConsumeTimeoutMinute == usual.ConsumeTimeoutMinute
	if !minutes || c.GroupSysFlag != 0 || len(c.SubscriptionDataSet) > 0 {
		return ""
	}
	for key, value := range c.GroupRetryPolicy {
		if value != nil && value != usual.GroupRetryPolicy[key] {
			return ""
		}
	}
	words := []string{"-g", name, "-b", addr, "-s", strconv.FormatBool(c.ConsumeEnable)}
	for _, f := range []struct{ flag, value, otherwise string }{
		{"-m", strconv.FormatBool(c.ConsumeFromMinEnable), "false"}, {"-d", strconv.FormatBool(c.ConsumeBroadcastEnable), "false"},
		{"-o", strconv.FormatBool(c.ConsumeMessageOrderly), "false"}, {"-q", strconv.Itoa(int(c.RetryQueueNums)), "1"}, {"-r", strconv.Itoa(int(c.RetryMaxTimes)), "16"},
		{"-i", strconv.FormatInt(c.BrokerID, 10), "0"}, {"-w", strconv.FormatInt(c.WhichBrokerWhenConsumeSlowly, 10), "1"},
		{"-a", strconv.FormatBool(c.NotifyConsumerIdsChangedEnable), "true"},
	} {
		if f.value != f.otherwise {
			words = append(words, f.flag, f.value)
		}
	}
	return adminCommand("updateSubGroup", words...)
}

// partedFix is for a pair that has parted; peer is where the master's log is served.
func partedFix(peer string) string {
	return "stop the slave and see what each has alone: " + adminCommand("cutLog", "-c", "slave.conf", "--peer", peer) + "; docs/REPLICATION.md has both ways out"
}
