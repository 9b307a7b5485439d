package recipe

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// keyFuncs are what templates need to say a block of the case in another engine's words, and to refuse what cannot be
// said in them.
var keyFuncs = map[string]any{"key": key, "others": others, "fail": fail}

// key is what stands in a YAML mapping under a path of keys (a.b), "" if nothing does: the text of a plain value, with
// every spelling of true and false made one, else YAML.
func key(text, path string) (string, error) {
	b, err := yamlfile.ParseBlock(path, text)
	if err != nil {
		return "", err
	}
	for k := range strings.SplitSeq(path, ".") {
		b = b.Get(k)
	}
	if b.Absent() {
		return "", nil
	}
	plain, ok := b.Scalar()
	if !ok {
		return b.Text()
	}
	var truth bool
	if b.Decode("", "", &truth) == nil {
		return strconv.FormatBool(truth), nil
	}
	return plain, nil
}

// others lists the paths of keys in a YAML mapping that are not known: neither a known path itself, nor below one, nor
// on the way to one.
func others(text string, known ...string) ([]string, error) {
	b, err := yamlfile.ParseBlock("block", text)
	if err != nil {
		return nil, err
	}
	return unknown(b, "", known)
}

func unknown(b yamlfile.Block, prefix string, known []string) (list []string, err error) {
	entries := map[string]yamlfile.Block{}
	if err := b.Decode("", "", &entries); err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(entries)) {
		path := prefix + k
		onTheWay := func(p string) bool { return strings.HasPrefix(p, path+".") }
		switch {
		case slices.Contains(known, path):
		case entries[k].IsMapping() && slices.ContainsFunc(known, onTheWay):
			below, err := unknown(entries[k], path+".", known)
			if err != nil {
				return nil, err
			}
			list = append(list, below...)
		default:
			list = append(list, path)
		}
	}
	return list, nil
}

// Refusal is what a recipe says of a case that it does not run, in its own words.
type Refusal struct{ error }

func fail(message string) (string, error) { return "", Refusal{errors.New(message)} }
