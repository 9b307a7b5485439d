package hub

import "testing"

// The index of a point stands where the pattern's last mark is: a folder's name may look like one.
func TestClientFile(t *testing.T) {
	for pattern, want := range map[string]string{
		"/run/client.{index}.log":          "/run/client.12.log",
		"/run/{index}/client.{index}.json": "/run/{index}/client.12.json",
		"/run/all.log":                     "/run/all.log",
	} {
		if got := ClientFile(pattern, 12); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}
