package rundir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only what is of the right type and belongs to this user is taken for ours. Root may see its files as another's.
func TestCheckOwn(t *testing.T) {
	dir := t.TempDir()
	file, link, me := filepath.Join(dir, "file"), filepath.Join(dir, "link"), os.Geteuid()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path string
		kind os.FileMode
		user int
		want string // "": it is ours
	}{
		"a folder":            {dir, os.ModeDir, me, ""},
		"a file":              {file, 0, me, ""},
		"as root":             {file, 0, 0, ""},
		"a file for a folder": {file, os.ModeDir, me, "is not what it must be"},
		"a folder for a file": {dir, 0, me, "is not what it must be"},
		"a link to a folder":  {link, os.ModeDir, me, "is not what it must be"},
		"another's folder":    {dir, os.ModeDir, me + 1, "use a run directory that only you can write to"},
		"another's file":      {file, 0, me + 1, "use a run directory that only you can write to"},
	} {
		info, err := os.Lstat(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		err = checkOwn(info, tt.path, tt.kind, tt.user)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}
