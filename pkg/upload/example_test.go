package upload_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/disagg/disagg/pkg/upload"
)

// A registry finds the sink of a URL, and says what others it knows. Secrets are refused in a URL.
func ExampleRegistry_Check() {
	r := upload.Registry{{
		Name: "store", Form: "store://HOST/TABLE",
		Check: func(u *url.URL) error {
			if u.Path == "" {
				return errors.New("it names no table")
			}
			return nil
		},
	}}
	for _, address := range []string{"store://db/runs", "store://db", "ftp://db/runs"} {
		fmt.Println(r.Check(address))
	}
	why, what, _ := strings.Cut(r.Check("store://me:secret@db/runs").Error(), ": p")
	fmt.Printf("%s:\n  p%s\n", why, what)
	// Output:
	// <nil>
	// cannot upload to "store://db": it names no table: want store://HOST/TABLE
	// cannot upload to "ftp://db/runs": unknown kind of sink: want store://HOST/TABLE
	// cannot upload to store://me:xxxxx@db/runs: a password in the URL would be stored:
	//   pass ?password_env=NAME or ?password_file=PATH
}

// A URL refers to a secret by the name of a variable or of a file.
func ExampleCredential() {
	if err := os.Setenv("STORE_PASSWORD", "hunter2"); err != nil {
		fmt.Println(err)
	}
	defer func() { _ = os.Unsetenv("STORE_PASSWORD") }()
	for _, query := range []string{"password_env=STORE_PASSWORD", "password_env=NOT_SET", ""} {
		password, err := upload.Credential(&url.URL{Scheme: "store", Host: "db", RawQuery: query}, "password")
		fmt.Printf("%q %v\n", password, err)
	}
	// Output:
	// "hunter2" <nil>
	// "" cannot read the password of db: the variable NOT_SET is not set
	// "" <nil>
}
