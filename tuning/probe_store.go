package tuning

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"ringmq/store/disk"
)

const (
	maxDevices = 64 // that are looked at below one mount
	maxNesting = 8
)

func (p *prober) store() (StoreFacts, []Device) {
	s := StoreFacts{Dir: p.o.Dir, Options: []string{}, Ratios: p.o.Ratios}
	_, err := p.Mode(s.Dir)
	p.failed(s.Dir, err)
	s.There = err == nil
	log := cmp.Or(p.o.Log, path.Join(s.Dir, "commitlog"))
	near := p.nearest(log)
	room := p.room(near)
	s.TotalBytes, s.FreeBytes, s.FreeInodes = room.TotalBytes, room.FreeBytes, room.FreeInodes
	p.measured(&s, near)
	m, ok := mountOf(p.mounts, near)
	if !ok {
		return s, []Device{}
	}
	s.Mount, s.Type, s.Source, s.Options = m.point, m.kind, m.source, m.options
	root := p.nearest(s.Dir)
	if r, ok := mountOf(p.mounts, root); ok && r.device != m.device {
		rest := p.room(root)
		s.LogDir, s.Rest = log, &rest
	}
	return s, p.devices(m)
}

// nearest is the directory, or the first one above it that is there.
func (p *prober) nearest(dir string) string {
	for dir != "/" {
		if _, err := p.Mode(dir); err == nil {
			break
		}
		dir = path.Dir(dir)
	}
	return dir
}

func (p *prober) room(dir string) Room {
	space, err := p.Space(dir)
	if err != nil {
		p.failed(dir, err)
		return Room{-1, -1, -1}
	}
	return Room{space.TotalBytes, space.FreeBytes, space.FreeInodes}
}

// measured reads what probe-disk left with the store about the file system of a directory.
func (p *prober) measured(s *StoreFacts, dir string) {
	name := path.Join(p.o.Dir, "ringmq", disk.MeasuredFile)
	text := p.text(name)
	if text == "" {
		return
	}
	m, err := disk.DecodeMeasured([]byte(text))
	if err == nil {
		err = p.Fits(m, dir)
	}
	if err != nil {
		s.MeasuredWhy = err.Error()
		return
	}
	s.Measured = m
}

// devices walks from the mounted device down to what it is made of, through partitions, LVM and md.
func (p *prober) devices(m mount) []Device {
	at, err := p.Resolve("/sys/dev/block/" + m.device)
	if err != nil { // btrfs has numbers of its own: its source names a device
		if !strings.HasPrefix(m.source, "/dev/") {
			return []Device{}
		}
		source := m.source
		if real, err := p.Resolve(source); err == nil {
			source = real
		}
		if at, err = p.Resolve("/sys/class/block/" + path.Base(source)); err != nil {
			p.failed("/sys/class/block/"+path.Base(source), err)
			return []Device{}
		}
	}
	all := []Device{}
	p.walk(at, 0, &all)
	return all
}

func (p *prober) walk(at string, nesting int, all *[]Device) {
	if _, err := p.Mode(at + "/partition"); err == nil {
		at = path.Dir(at)
	}
	name := path.Base(at)
	if nesting > maxNesting || len(*all) >= maxDevices || slices.ContainsFunc(*all, func(d Device) bool { return d.Name == name }) {
		return
	}
	below := p.list(at+"/slaves", "*")
	d := p.device(at, name)
	d.Leaf, d.Top = len(below) == 0, nesting == 0
	*all = append(*all, d)
	for _, b := range below {
		real, err := p.Resolve(at + "/slaves/" + b)
		if err != nil {
			p.failed(at+"/slaves/"+b, err)
			continue
		}
		p.walk(real, nesting+1, all)
	}
}

func (p *prober) device(at, name string) Device {
	queue := at + "/queue/"
	d := Device{
		Name: name, Kind: kindOf(name, at), Model: strings.TrimSpace(p.text(at+"/device/vendor") + " " + p.text(at+"/device/model")),
		Rotational: p.number(queue+"rotational") == 1, Node: p.number(at + "/device/numa_node"),
		ReadAheadKiB: p.number(queue + "read_ahead_kb"), Requests: p.number(queue + "nr_requests"), NoMerges: p.number(queue + "nomerges"),
		Affinity: p.number(queue + "rq_affinity"), WriteCache: p.text(queue + "write_cache"), ThrottleUs: p.number(queue + "wbt_lat_usec"),
	}
	if d.Node < 0 {
		d.Node = p.number(at + "/device/device/numa_node")
	}
	if strings.HasPrefix(d.Model, "0x") { // the number of a PCI vendor says nothing to a reader
		_, d.Model, _ = strings.Cut(d.Model, " ")
	}
	d.Scheduler, d.Schedulers = p.choice(queue + "scheduler")
	d.SchedulerHas = append([]string{}, p.list(queue+"iosched", "*")...)
	d.Virtual = d.Kind == "virtio" || d.Kind == "xen"
	for _, word := range []string{"QEMU", "VMware", "Msft", "Virtual", "PersistentDisk", "Amazon Elastic Block Store"} {
		d.Virtual = d.Virtual || strings.Contains(d.Model, word)
	}
	return d
}

// kindOf tells devices apart by the names that the kernel gives them, and by what they hang on.
func kindOf(name, at string) string {
	switch {
	case strings.HasPrefix(name, "nvme"):
		return "nvme"
	case strings.HasPrefix(name, "vd") || strings.Contains(at, "/virtio") && !strings.HasPrefix(name, "sd"):
		return "virtio"
	case strings.HasPrefix(name, "xvd"):
		return "xen"
	case strings.HasPrefix(name, "sd"):
		return "scsi"
	case strings.HasPrefix(name, "mmcblk"):
		return "mmc"
	case strings.HasPrefix(name, "dm-"):
		return "dm"
	case strings.HasPrefix(name, "md"):
		return "md"
	case strings.HasPrefix(name, "loop"):
		return "loop"
	}
	return "other"
}
