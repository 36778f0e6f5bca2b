package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ringmq/netpoll/remoting/settings"
)

// source is where a server's settings come from besides its table of defaults. Precedence, lowest first: defaults of the
// subcommand, the file, the environment, flags.
type source struct {
	file    string   // -c; "" for none
	sets    []string // --set, in order
	print   bool     // -p
	namesrv string   // -n
	environ []string // of the process
}

// precedence ends the help of every server.
const precedence = "A key is taken from --set key=value, else from the environment variable RINGMQ_key (RINGMQ_listenPort=10911), else from the\n" +
	"file, else its default. -p prints every key as it is in force, those without effect here apart."

// setFlag adds the flags of every server.
func (s *source) setFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.sets, "set", nil, "set a configuration key, `key=value`; may be repeated, wins over file and environment")
	cmd.Flags().BoolVarP(&s.print, "printConfigItem", "p", false, "print the configuration in force and exit")
}

func (s *source) fileFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.file, "configFile", "c", "", "configuration `file`, as the stock server's")
}

// fromFile reads the file; without one there are no settings. The absolute path returned is for rewriting it.
func (s *source) fromFile() (all []settings.Setting, path string, err error) {
	if s.file == "" {
		return nil, "", nil
	}
	text, err := os.ReadFile(s.file)
	if err != nil {
		return nil, "", fmt.Errorf("configuration file: %w", err)
	}
	if all, err = settings.ParseProperties(filepath.Base(s.file), text); err != nil {
		return nil, "", err
	}
	path, err = filepath.Abs(s.file)
	return all, path, err
}

// overrides are environment, then flags.
func (s *source) overrides() ([]settings.Setting, error) {
	all := settings.FromEnvironment(s.environ)
	for _, text := range s.sets {
		one, err := settings.FromFlag(text)
		if err != nil {
			return nil, fmt.Errorf("--set: %w", err)
		}
		all = append(all, one)
	}
	if s.namesrv != "" {
		all = append(all, settings.Setting{Key: "namesrvAddr", Value: s.namesrv, Origin: settings.Flag, Where: "-n"})
	}
	return all, nil
}

// load lays file, environment and flags over a table.
func (s *source) load(t *settings.Table) (v *settings.Values, file string, err error) {
	fromFile, file, err := s.fromFile()
	if err != nil {
		return nil, "", err
	}
	over, err := s.overrides()
	if err != nil {
		return nil, "", err
	}
	v, err = t.Merge(fromFile, over)
	return v, file, err
}

// base are a subcommand's own defaults.
func base(key, value string) settings.Setting {
	return settings.Setting{Key: key, Value: value, Origin: settings.Default, Where: "default of this subcommand"}
}
