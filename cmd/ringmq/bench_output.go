package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ringmq/bench"
)

// benchOutput is where results go. The files are opened before a run, so that an hour of load does not end with a folder that is not
// there, and keep what is in them until there is something to write.
type benchOutput struct {
	json, html *outFile // nil: not wanted
}

// open opens the files that the flags name. close has to follow.
func (o *benchOptions) open() (*benchOutput, error) {
	if o.output != "table" && o.output != "json" {
		return nil, fmt.Errorf("output %q: table or json", o.output)
	}
	if o.jsonFile == "-" && o.htmlFile == "-" {
		return nil, errors.New("--json - and --html -: only one of them can be written to standard output")
	}
	out := &benchOutput{}
	var err error
	for _, f := range []struct {
		name string
		to   **outFile
	}{{o.jsonFile, &out.json}, {o.htmlFile, &out.html}} {
		if f.name == "" || f.name == "-" || err != nil {
			continue
		}
		*f.to, err = openOut(f.name)
	}
	if err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

// close leaves no file behind that was made and not written.
func (out *benchOutput) close() {
	for _, f := range []*outFile{out.json, out.html} {
		if f != nil {
			f.drop()
		}
	}
}

// deliver prints and saves a result. saved is what JSON has of it: a report, or the result itself.
func (o *benchOptions) deliver(cmd *cobra.Command, out *benchOutput, saved any, result *bench.Result) error {
	w := cmd.OutOrStdout()
	asJSON := func(w io.Writer) error { return bench.WriteJSON(w, saved) }
	asHTML := (&bench.Page{Title: result.Title, Results: []*bench.Result{result}}).Write
	var err error
	switch {
	case o.output == "json" || o.jsonFile == "-":
		err = asJSON(w)
	case o.htmlFile == "-":
		err = asHTML(w)
	default:
		err, o.told = result.Text(w), true
	}
	if out.json != nil {
		err = errors.Join(err, out.json.write(asJSON))
	}
	if out.html != nil {
		err = errors.Join(err, out.html.write(asHTML))
	}
	if err == nil {
		wrote(cmd, o.jsonFile, o.htmlFile)
	}
	return err
}

// wrote says on the other stream where files are; names that are none of a file are passed over.
func wrote(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if name != "" && name != "-" {
			fmt.Fprintln(cmd.ErrOrStderr(), "wrote", name)
		}
	}
}

// outFile is a file that will be written, or not.
type outFile struct {
	f    *os.File
	made bool // by openOut: it was not there
	done bool
}

func openOut(name string) (*outFile, error) {
	_, err := os.Stat(name)
	made := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	return &outFile{f: f, made: made}, nil
}

// write puts what write writes in the place of what the file holds.
func (o *outFile) write(write func(io.Writer) error) error {
	o.done = true
	info, err := o.f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = o.f.Truncate(0)
	}
	if err == nil {
		err = write(o.f)
	}
	return errors.Join(err, o.f.Close())
}

func (o *outFile) drop() {
	if o.done {
		return
	}
	_ = o.f.Close()
	if o.made {
		_ = os.Remove(o.f.Name())
	}
}
