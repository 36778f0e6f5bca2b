package settings

import (
	"fmt"
	"net/netip"
	"strings"
)

// Prefixes reads a key that lists networks in CIDR notation and single addresses, separated by commas, semicolons or blanks. An error
// says where the key was set.
func (v *Values) Prefixes(key string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range strings.FieldsFunc(v.Text(key), func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' }) {
		p, err := netip.ParsePrefix(text)
		if addr, bad := netip.ParseAddr(text); bad == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s=%s: %q is neither an address nor a network such as 10.1.0.0/16", v.Where(key), key, v.Text(key), text)
		}
		all = append(all, p)
	}
	return all, nil
}
