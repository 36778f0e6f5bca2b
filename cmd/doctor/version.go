package doctor

import (
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
	var texts []string
	for _, v := range versions {
		texts = append(texts, fmt.Sprintf("%s: %s", v, list(byVersion[v])))
	}
	return append(all, warning("version", "version-skew", "servers", "%s", strings.Join(texts, "; ")).
		because("features and route formats differ between releases, and clients meet both", "finish the upgrade: name servers first, then slaves, then masters"))
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
