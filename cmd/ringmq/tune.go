package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ringmq/broker/config"
	"ringmq/tuning"
)

// somethingLeft is the exit code of a look that found something to do.
const somethingLeft exitCode = 2

// tuneOptions is what the flags of tune say.
type tuneOptions struct {
	source
	store    string
	root     string // of a tree to look at instead of this machine
	pid      int
	unit     string
	user     string
	profile  string
	undoFile string
	output   string
	only     []string
	all      bool

	apply, persist, undo, force, dryRun bool
}

func newTune() *cobra.Command { return newTuneBy(thisProgram) }

// newTuneBy is tune whose probe-disk runs another one of that program.
func newTuneBy(self program) *cobra.Command {
	o := tuneOptions{source: source{environ: os.Environ()}}
	cmd := &cobra.Command{
		Use: "tune", Short: "Say what of this host should be otherwise for a broker, set it, take it back", Args: cobra.NoArgs,
		Long: "Look at kernel, limits, disk, processors and network as a broker meets them, and say what is, what should be, why, what it gains or\n" +
			"risks, and how sure that is. Nothing is changed without --apply. The exit code is 0 when nothing is left to do, 2 when something\n" +
			"is, 1 when it failed. docs/TUNING.md has all of it as a page.",
		Example: "  ringmq tune --store /data/store\n  ringmq tune -c broker.conf --apply --persist\n  ringmq tune --undo\n  ringmq tune probe-disk --store /data/store",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.undo {
				return o.takeBack(cmd.OutOrStdout())
			}
			return o.look(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	o.storeFlags(cmd)
	f.StringVar(&o.profile, "profile", string(tuning.Auto), "what the host is for: production, development, container, or auto")
	f.BoolVar(&o.apply, "apply", false, "set what can be set, after noting what was there")
	f.BoolVar(&o.persist, "persist", false, "with --apply: also write files for sysctl.d, limits.d, udev, tmpfiles.d and the unit")
	f.BoolVar(&o.undo, "undo", false, "put back what --apply found")
	f.BoolVar(&o.force, "force", false, "with --undo: put back also what somebody else has changed since")
	f.BoolVar(&o.dryRun, "dry-run", false, "only print what --apply (with --persist), or --undo, would do")
	f.StringArrayVar(&o.only, "only", nil, "only advice about this `key`; may be repeated, a star stands for anything")
	f.BoolVar(&o.all, "all", false, "give the reasons for everything, not only for what should be otherwise")
	f.StringVarP(&o.output, "output", "o", "table", "`form` of what is printed: table or json")
	f.IntVar(&o.pid, "pid", 0, "a broker that runs, for its limits and control groups; 0: the limits of the unit, or else this shell's")
	f.StringVar(&o.unit, "unit", "ringmq.service", "systemd `unit` of the broker")
	f.StringVar(&o.user, "user", "*", "`user` that the broker runs as, for limits.d; a star is everybody but root")
	f.StringVar(&o.undoFile, "undo-file", "/var/lib/ringmq/tune-undo.json", "`file` that remembers what was there before --apply")
	f.StringVar(&o.root, "root", "/", "look at a copy of a host's files below this `directory`")
	_ = f.MarkHidden("root")
	cmd.AddCommand(newProbeDisk(self))
	return cmd
}

// storeFlags are those that say where the store is.
func (o *tuneOptions) storeFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.store, "store", "", "the store's `directory`; that of the configuration (storePathRootDir, storePathCommitLog) if not given")
	o.fileFlag(cmd)
}

func (o *tuneOptions) check() error {
	switch {
	case o.output != "table" && o.output != "json":
		return fmt.Errorf("output %q: table or json", o.output)
	case o.undo && (o.apply || o.persist):
		return fmt.Errorf("--undo takes back what --apply did: give one of them")
	case o.persist && !o.apply && !o.dryRun:
		return fmt.Errorf("--persist goes with --apply, or with --dry-run")
	case o.force && !o.undo:
		return fmt.Errorf("--force goes with --undo")
	case o.pid < 0 || o.pid > 0 && !exists(filepath.Join(o.root, "proc", strconv.Itoa(o.pid))):
		return fmt.Errorf("--pid %d: there is no such process", o.pid)
	case strings.ContainsAny(o.unit, "/ ") || o.unit == "" || strings.ContainsAny(o.user, " \t\n") || o.user == "":
		return fmt.Errorf("--unit %q, --user %q: each is one name", o.unit, o.user)
	case !filepath.IsAbs(o.undoFile) || filepath.Clean(o.undoFile) != o.undoFile:
		return fmt.Errorf("--undo-file %s is no absolute path", o.undoFile)
	}
	_, err := tuning.ParseProfile(o.profile)
	return err
}

// asked is what is to be looked at for a broker with this configuration.
func (o *tuneOptions) asked() (tuning.Options, error) {
	v, _, err := o.load(config.Keys(config.LocalIP()))
	if err != nil {
		return tuning.Options{}, err
	}
	c, err := config.New(v)
	if err != nil {
		return tuning.Options{}, err
	}
	dir, log := realPath(absolute(c.Text("storePathRootDir"))), c.Text("storePathCommitLog")
	if o.store != "" {
		if store := realPath(absolute(o.store)); store != dir {
			dir, log = store, "" // the file tells of another one
		}
	}
	if log == "" {
		log = filepath.Join(dir, "commitlog")
	}
	ports := []int{9876, c.ListenPort(), c.HAPort()}
	if fast := c.FastPort(); fast != 0 {
		ports = append(ports, fast)
	}
	r := c.Retention()
	if r.KeepUnexpired {
		r.CleanForciblyRatio = r.WarningRatio // none goes before its time
	}
	return tuning.Options{
		Dir: dir, Log: realPath(absolute(log)), PID: o.pid, Unit: o.unit, User: o.user, Ports: ports,
		Ratios: tuning.Ratios{Expired: r.MaxUsedRatio, Forcibly: r.CleanForciblyRatio, Full: r.WarningRatio},
	}, nil
}

// realPath follows links as far as the path is there.
func realPath(dir string) string {
	rest := ""
	for at := dir; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == "/" {
			return dir
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

func (o *tuneOptions) host() tuning.Host {
	h := tuning.This()
	if o.root != "/" {
		h.Tree = tuning.Under(o.root)
	}
	return h
}

// report looks at the host.
func (o *tuneOptions) report(h tuning.Host) (*tuning.Report, error) {
	asked, err := o.asked()
	if err != nil {
		return nil, err
	}
	profile, err := tuning.ParseProfile(o.profile)
	if err != nil {
		return nil, err
	}
	r := tuning.NewReport(tuning.Probe(h, asked), profile)
	if len(o.only) > 0 {
		if unknown := r.Only(o.only); len(unknown) > 0 {
			return nil, fmt.Errorf("there is no advice about %s on this host", strings.Join(unknown, ", "))
		}
	}
	return r, nil
}

// look prints advice, or the plan that comes of it, or carries it out.
func (o *tuneOptions) look(out io.Writer) error {
	h := o.host()
	r, err := o.report(h)
	if err != nil {
		return err
	}
	if !o.apply && !o.dryRun {
		return o.finish(out, r)
	}
	applied, err := tuning.Applied(h.Tree, o.undoFile)
	if err != nil {
		return err
	}
	plan := tuning.MakePlan(h.Tree, r.Facts, r.Advice, o.persist, applied)
	if o.dryRun {
		if o.output == "json" {
			err = tuning.WriteJSON(out, plan)
		} else {
			err = plan.Script(h.Tree, out)
		}
		return left(err, r.Left)
	}
	result, err := tuning.Apply(h.Tree, o.undoFile, plan)
	if err != nil {
		return o.notApplied(out, r, plan, result, err)
	}
	if r, err = o.report(h); err != nil {
		return err
	}
	if o.output == "json" {
		return left(tuning.WriteJSON(out, struct {
			Result tuning.Result  `json:"result"`
			Report *tuning.Report `json:"report"`
		}{result, r}), r.Left)
	}
	if err := result.Text(out); err != nil {
		return err
	}
	if !r.Facts.Kernel.Root && len(result.Refused) > 0 {
		fmt.Fprintln(out, "only root may set these")
	}
	if n := len(result.Values) + len(result.Files); n > 0 {
		fmt.Fprintf(out, "what was there before is in %s; ringmq tune --undo puts it back\n", o.undoFile)
	}
	if len(result.Values) > 0 && !o.persist {
		fmt.Fprintln(out, "it lasts until the host starts again; with --persist it is kept")
	}
	fmt.Fprintln(out)
	return o.finish(out, r)
}

// notApplied says what of the plan was not done.
func (o *tuneOptions) notApplied(out io.Writer, r *tuning.Report, plan tuning.Plan, result tuning.Result, err error) error {
	for _, f := range plan.Files {
		if !slices.Contains(result.Files, f.Name) {
			result.Refused = append(result.Refused, f.Name+" is not written")
		}
	}
	if !r.Facts.Kernel.Root {
		err = fmt.Errorf("%w (only root may set and keep all of it)", err)
	}
	if o.output == "json" {
		return errors.Join(err, tuning.WriteJSON(out, struct {
			Result tuning.Result `json:"result"`
		}{result}))
	}
	return errors.Join(err, result.Text(out))
}

func (o *tuneOptions) finish(out io.Writer, r *tuning.Report) (err error) {
	if o.output == "json" {
		err = tuning.WriteJSON(out, r)
	} else {
		err = r.Text(out, o.all)
	}
	return left(err, r.Left)
}

func left(err error, n int) error {
	if err == nil && n > 0 {
		return somethingLeft
	}
	return err
}

// takeBack undoes, or says what would be undone. What could not be put back is what is left to do.
func (o *tuneOptions) takeBack(out io.Writer) error {
	h := o.host()
	var result tuning.Result
	var err error
	if o.dryRun {
		result, err = tuning.Pending(h.Tree, o.undoFile)
	} else {
		result, err = tuning.Undo(h.Tree, o.undoFile, o.force)
	}
	if err != nil {
		return err
	}
	if o.output == "json" {
		return left(tuning.WriteJSON(out, result), len(result.Refused))
	}
	if len(result.Values)+len(result.Files)+len(result.Refused) == 0 {
		fmt.Fprintln(out, "there is nothing to take back")
	}
	if o.dryRun {
		fmt.Fprintln(out, "would be done:")
	}
	return left(result.Text(out), len(result.Refused))
}
