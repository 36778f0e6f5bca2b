package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// judgeVersions compares releases. Name servers tell theirs in the header of their answers only.
func judgeVersions(names []nameServerSeen, brokers []brokerSeen) (all []Finding) {
	byVersion := map[string][]string{}
	for _, n := range names {
		if n.Err == nil && n.Version > 0 {
			v := versionText(n.Version)
			byVersion[v] = append(byVersion[v], "name server "+n.Addr)
		}
	}
	for i := range brokers {
		b := &brokers[i]
		if b.Runtime == nil {
			continue
		}
		v := versionText(b.Version)
		if told := b.Runtime["brokerVersionDesc"]; told != "" {
			v = strings.ReplaceAll(strings.TrimPrefix(told, "V"), "_", ".")
		}
		byVersion[v] = append(byVersion[v], b.label())
	}
	versions := slices.Sorted(maps.Keys(byVersion))
	switch len(versions) {
	case 0:
		return nil
	case 1:
		return append(all, ok("version", "one-version", list(byVersion[versions[0]]), "all speak release %s", versions[0]))
	}
	return append(all, warning("version", "version-skew", "servers", "%s", spreadOver(byVersion)).
		because("features and route formats differ between releases, and clients meet both", fixSkew))
}

const fixSkew = "finish the upgrade: name servers first, then slaves, then masters"

// spreadOver says who has which version.
func spreadOver(byVersion map[string][]string) string {
	var texts []string
	for _, v := range slices.Sorted(maps.Keys(byVersion)) {
		texts = append(texts, fmt.Sprintf("%s: %s", v, list(byVersion[v])))
	}
	return strings.Join(texts, "; ")
}

// judgeBuilds compares the builds of ringmq, which all speak the same release. Stock's servers have none.
func judgeBuilds(names []nameServerSeen, brokers []brokerSeen) []Finding {
	byBuild := map[string][]string{}
	note := func(build, who string) {
		build = cmp.Or(build, "an older one that does not tell")
		byBuild[build] = append(byBuild[build], who)
	}
	for i := range names {
		if n := &names[i]; n.Err == nil && n.ours() {
			note(n.Build, "name server "+n.Addr)
		}
	}
	for i := range brokers {
		if b := &brokers[i]; b.Runtime != nil && (b.ours() || b.Runtime["diskEngine"] != "") {
			note(b.Runtime["ringmqVersion"], b.label())
		}
	}
	if len(byBuild) < 2 {
		return nil
	}
	return []Finding{warning("version", "build-skew", "servers of ringmq", "%s", spreadOver(byBuild)).
		because("what one build does better or has mended the other does not: faults come and go with the server that a client meets", fixSkew)}
}

// versionText is the name of a release by its ordinal, as far as it is a whole release of 4.9 or later: stock counts a snapshot and
// a release for each.
func versionText(ordinal int32) string {
	const v530, v533 = 473, 479
	if ordinal >= v530 && ordinal <= v533 && (ordinal-v530)%2 == 0 {
		return fmt.Sprintf("5.3.%d", (ordinal-v530)/2)
	}
	return fmt.Sprintf("with ordinal %d", ordinal)
}
