package perfsanity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
)

// configFolders are where upstream keeps its disaggregated configs, newest first.
var configFolders = [...]string{
	"tests/scripts/perf-sanity/disaggregated",
	"tests/scripts/perf/disaggregated",
	"tests/integration/defs/perf/disagg/test_configs/disagg/perf-sanity",
	"tests/integration/defs/perf/disagg/test_configs/disagg/perf",
	"tests/integration/defs/perf/disagg/test_configs/wideep/perf",
}

// found is a case's file, and what of its test id was given.
type found struct {
	id    TestID
	isID  bool // a test id was given, not the name of a config
	file  string
	data  []byte
	other []string // files of the same name with other contents, in folders that come later
}

func (f found) origin() roles.Origin {
	sum := sha256.Sum256(f.data)
	return roles.Origin{Path: f.file, SHA256: hex.EncodeToString(sum[:])}
}

// notes warn of a silent choice: some names stand in two folders, for two different cases.
func (f found) notes() []string {
	if len(f.other) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s is taken; %s has the same name and other contents: choose with --config-folder",
		f.file, strings.Join(f.other, ", "))}
}

// find resolves the name to a file, what it holds and the parts of its test id.
func (src Source) find() (f found, err error) {
	if f.id, f.isID, err = ParseTestID(src.Name); err != nil {
		return f, err
	}
	if !f.isID {
		if strings.Contains(src.Name, "::") || strings.Contains(src.Name, ".py") {
			return f, &NotOurs{otherTest, fmt.Sprintf("%.200q", src.Name), "it is not a perf-sanity test"}
		}
		if ext := filepath.Ext(src.Name); ext == ".yaml" || ext == ".yml" {
			f.id.Config, f.file = strings.TrimSuffix(filepath.Base(src.Name), ext), src.Name
			if f.data, err = src.Read(f.file); err != nil {
				return f, fmt.Errorf("cannot read case: %w", err)
			}
			return f, nil
		}
		f.id.Config = src.Name
	}
	if src.Name == "" {
		return f, errors.New("cannot find a case: its name is empty")
	}
	if f.id.Config != filepath.Base(f.id.Config) {
		return f, fmt.Errorf("cannot find case %q: a config's name has no folders", src.Name)
	}
	return f, src.search(&f)
}

// search looks a base name up in every folder.
func (src Source) search(f *found) error {
	folders := src.folders(f.id.OfServers())
	for _, folder := range folders {
		file := filepath.Join(folder, f.id.Config+".yaml")
		data, err := src.Read(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("cannot read case: %w", err)
		case f.file == "":
			f.file, f.data = file, data
		case !bytes.Equal(data, f.data):
			f.other = append(f.other, file)
		}
	}
	switch {
	case f.file != "":
		return nil
	case len(folders) == 0:
		return fmt.Errorf("cannot find case %q: pass its path, or --trtllm-dir DIR", src.Name)
	}
	return fmt.Errorf("cannot find case %q: no %s.yaml in %s: pass its path, --trtllm-dir or --config-folder",
		src.Name, f.id.Config, strings.Join(folders, ", "))
}

// folders are where base names are looked up: in the one that was chosen, else in upstream's.
func (src Source) folders(ofServers bool) (list []string) {
	switch {
	case src.Folder != "":
		return []string{src.Folder}
	case src.Checkout != "":
		below := configFolders[:]
		if ofServers {
			below = aggregatedFolders[:]
		}
		for _, f := range below {
			list = append(list, filepath.Join(src.Checkout, f))
		}
	}
	return list
}
