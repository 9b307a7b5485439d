package profile

import (
	"fmt"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// Reader reads the profile that one extends, by its name there. The file is what that name means, for errors and for
// what it extends itself.
type Reader func(name, beside string) (file string, data []byte, err error)

// mostBases bounds how many profiles one extends, one after the other.
const mostBases = 8

// extended is a profile's block with what it does not say itself.
func extended(file string, own yamlfile.Block, name string, read Reader, left int) (yamlfile.Block, error) {
	switch {
	case read == nil:
		return own, fmt.Errorf("%s: extends: %s: no profile can be extended here", file, name)
	case left == 0:
		return own, fmt.Errorf("%s: extends: %s: more than %d profiles deep, or a profile that extends itself", file,
			name, mostBases)
	}
	baseFile, data, err := read(name, file)
	if err != nil {
		return own, fmt.Errorf("%s: extends: %w", file, err)
	}
	base, err := yamlfile.ParseBlock(baseFile, string(data))
	if err != nil {
		return own, err
	}
	if further, ok := base.Get("extends").Scalar(); ok && further != "" {
		if base, err = extended(baseFile, base, further, read, left-1); err != nil {
			return own, err
		}
	}
	return yamlfile.Merge(base.Without("extends"), []yamlfile.Block{own}, []string{file})
}
