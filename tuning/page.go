package tuning

import (
	"fmt"
	"strings"
)

// Page is the operator's page, docs/TUNING.md, made of the same tables that advice is made of: go test ./tuning -run TestPage -update.
func Page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, a := range areas() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", a.name, a.about)
		for _, k := range a.knobs {
			fmt.Fprintf(&b, "\n### %s\n\nWanted: %s.\n\n%s\n\n- Gain: %s.\n", k.key, k.want, k.why, k.gain)
			if k.risk != "" {
				fmt.Fprintf(&b, "- Risk: %s.\n", k.risk)
			}
			fmt.Fprintf(&b, "- %s%s: %s.\n", strings.ToUpper(string(k.sure[:1])), k.sure[1:], k.source)
		}
	}
	return b.String()
}

const pageHead = `# Tuning a host

What ` + "`ringmq tune`" + ` looks at, with the reasons that it prints.

    ringmq tune --store /data/store                  # look, say what should be otherwise and why; changes nothing
    ringmq tune --store /data/store --dry-run        # what --apply would do, as a shell script
    ringmq tune --store /data/store --apply          # do it, for as long as the host runs
    ringmq tune --store /data/store --apply --persist  # and keep it for the next start
    ringmq tune --undo                               # put back what was there before
    ringmq tune probe-disk --store /data/store       # measure the device for some seconds, for the broker's choice of engine; over within 20
    ringmq tune -c /etc/ringmq/broker.conf           # the same for the package's broker, or another file's: of its storePathRootDir, its storePathCommitLog on a disk of its own, its ports and its disk ratios; probe-disk takes it too

It works without root and inside of containers and says what it could not see. The exit code is 0 when nothing is left to do, 2 when something is, 1 when it failed. ` + "`make tune-check`" + ` does
all of it to the host that it runs on, and compares every value afterwards.

**States.** *change*: --apply sets it. *by hand*: has to be done, and not by this program. *host*: belongs to whoever runs the host of this container.
*consider*: there are reasons for either. *unseen*: could not be read. *note*: nothing to set, said because guides for RocketMQ say otherwise.

**Profiles.** *production*, the default. *development*: only what loses data or keeps a broker from working is to be changed. *container*, the default inside of one:
the kernel's settings are for whoever runs the host, and nothing is set from inside.

**Taking back.** Before anything is changed every value is written back as it is, and what the kernel does not take back is not touched; then the values are noted in
/var/lib/ringmq/tune-undo.json, with those that the kernel moves along (a scheduler's own settings, min_free_kbytes with huge pages), and only then are they changed. --undo puts them back, in the opposite order, and removes the file. What somebody else has changed
since is left as it is, unless --force says otherwise. A value that somebody else sets between two --apply is what --undo brings back.

**Keeping.** --persist writes files of its own, 90-ringmq.conf in /etc/sysctl.d, /etc/security/limits.d and /etc/tmpfiles.d, 90-ringmq.rules in /etc/udev/rules.d, and 90-ringmq-tune.conf among the
drop-ins of the unit; it never edits one that is somebody else's, and keeps no value that the kernel refuses now. A file that is read later and says something else is named where it is one of sysctl's
(/etc/sysctl.conf, or a 99-*.conf in sysctl.d of /etc, /run or /usr/lib) or a drop-in of the unit (override.conf, as systemctl edit calls it); in limits.d, udev/rules.d and tmpfiles.d nobody looks. The udev rules
name devices as the kernel does now (sda, dm-1); where such names move, put one of udev's own names in their place.

**How sure.** *Documented* by those who made the thing, *measured* by this project, *judged* from both.
`
