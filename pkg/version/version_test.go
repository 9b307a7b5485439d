package version

import "testing"

// The commit is told once: where there is no tag, it is the version.
func TestText(t *testing.T) {
	for _, tt := range []struct{ number, commit, want string }{
		{"dev", "", "dev"}, {"v1.2", "6b70270", "v1.2 (6b70270)"}, {"6b70270", "6b70270", "6b70270"},
		{"6b70270-dirty", "6b70270", "6b70270-dirty"}, {"v1.2-3-g6b70270", "6b70270", "v1.2-3-g6b70270"},
	} {
		if got := text(tt.number, tt.commit); got != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.number, tt.commit, got, tt.want)
		}
	}
}
