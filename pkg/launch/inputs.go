package launch

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/spelling"
	"github.com/disagg/disagg/pkg/testlist"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// recipeAndCase reads the case, and the recipe that runs it: the one that was asked for, or the one that this names for
// such a case. What a recipe needs of the checkout decides how the case is understood, so that a change of the recipe
// has it read again.
func (r Request) recipeAndCase(checkout string, prof profile.Profile) (
	rec recipe.Recipe, c roles.Case, kept []byte, err error,
) {
	name, why := r.Recipe, ""
	for range len(recipe.Builtin()) + 1 { // each leads to another, or it is a circle
		if rec, err = r.Cache.recipe(name); err != nil {
			return rec, c, nil, err
		}
		test, err := r.testOf(rec, checkout)
		if err != nil {
			return rec, c, nil, err
		}
		c, kept, err = loadSettled(rec, r.Settings, perfsanity.Source{
			Name: r.Case, Mode: r.Mode, Folder: r.Folder, Checkout: checkout, ModelsRoot: prof.ModelsRoot,
			Models: prof.Models, Test: test, Read: readInput,
		})
		if err != nil {
			return rec, c, nil, err
		}
		other, reason, err := rec.Fit(c.Traits)
		if err == nil && other == "" && test != nil {
			err = rec.Suits(c.Traits)
		}
		if err != nil {
			return rec, c, nil, fmt.Errorf("cannot run %s: %w", c.TestID, err)
		}
		if other == "" {
			if why != "" {
				c.Notes = append(c.Notes, fmt.Sprintf("recipe %s is taken for %s: it runs %s", rec.Name, r.Recipe, why))
			}
			c.Notes = append(c.Notes, modelNote(prof.ModelsRoot, c)...)
			if abs, err := filepath.Abs(c.Origin.Path); err == nil {
				c.Origin.Path = abs
			}
			return rec, c, kept, nil
		}
		name, why = other, reason
	}
	return rec, c, nil, fmt.Errorf("cannot choose a recipe for %s: those that %s names lead nowhere", r.Case, r.Recipe)
}

func isThere(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// modelNote says that a model is not where it is looked for, if this host sees the models at all.
func modelNote(root string, c roles.Case) []string {
	found := func(dir string) bool { return isThere(filepath.Join(root, dir)) }
	if root == "" || !isThere(root) || slices.ContainsFunc(c.ModelDirs, found) {
		return nil
	}
	return []string{fmt.Sprintf("model %s is not in %s (looked for %s): its bare name is used; name its folder in the "+
		"profile (models)", c.Model, root, strings.Join(c.ModelDirs, ", "))}
}

// testOf is what upstream's test in the checkout can do, nil if the recipe has no use for it. Without a checkout it is
// the newest.
func (r Request) testOf(rec recipe.Recipe, checkout string) (*perfsanity.Test, error) {
	if !slices.Contains(rec.Checkout, perfsanity.TestFile) {
		return nil, nil //nolint:nilnil // there is none
	}
	test := perfsanity.Newest()
	if checkout == "" {
		return &test, nil
	}
	if !isThere(filepath.Join(checkout, perfsanity.TestFile)) {
		return &test, nil // that is told once the plan is made
	}
	return r.Cache.test(checkout)
}

// isFile tells whether a name is meant as a path, not as that of a built-in.
func isFile(name string) bool {
	return strings.ContainsRune(name, filepath.Separator) || filepath.Ext(name) != ""
}

// readInput reads a file that somebody names: of one that is too large as much as shows that. It may be a pipe, such as
// a shell's <(…), but one that nobody writes to is empty and not waited for.
func readInput(file string) ([]byte, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: file, Err: err}
	}
	f := os.NewFile(uintptr(fd), file)
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, yamlfile.MaxSize+1))
}

// unknownName says that nothing built in has a name, and which may be meant: a file that lies here, too.
func unknownName(what, name string, builtin []string) error {
	known := builtin
	if file := name + ".yaml"; isThere(file) {
		known = []string{file}
	}
	hint := spelling.Hint(name, known)
	if hint != "" {
		hint = " " + hint
	}
	return fmt.Errorf("unknown %s %q:%s want %s, or a path to a %s file", what, name, hint, strings.Join(builtin, ", "),
		what)
}

// loadRecipe reads a recipe by the name of a built-in one or by the path of a file.
func loadRecipe(nameOrFile string) (recipe.Recipe, error) {
	if r, ok, err := recipe.Load(nameOrFile); ok {
		return r, err
	}
	if !isFile(nameOrFile) {
		return recipe.Recipe{}, unknownName("recipe", nameOrFile, recipe.Builtin())
	}
	data, err := readInput(nameOrFile)
	if err != nil {
		return recipe.Recipe{}, fmt.Errorf("cannot read recipe: %w", err)
	}
	return recipe.Parse(nameOrFile, data, func(beside string) ([]byte, error) {
		data, err := readInput(filepath.Join(filepath.Dir(nameOrFile), beside))
		if len(data) > yamlfile.MaxSize {
			err = fmt.Errorf("%s is too large: want at most %d KiB", beside, yamlfile.MaxSize>>10)
		}
		return data, err
	})
}

// loadProfile reads a profile by the name of a built-in one or by the path of a file.
func loadProfile(nameOrFile string) (profile.Profile, error) {
	if p, ok, err := profile.Load(nameOrFile); ok {
		return p, err
	}
	if !isFile(nameOrFile) {
		return profile.Profile{}, unknownName("profile", nameOrFile, profile.Builtin())
	}
	data, err := readInput(nameOrFile)
	if err != nil {
		return profile.Profile{}, fmt.Errorf("cannot read profile: %w", err)
	}
	return profile.ParseExtending(nameOrFile, data, readBase)
}

// readBase reads a profile that another one extends: a built-in one, or a file that lies beside it.
func readBase(name, beside string) (file string, data []byte, err error) {
	if data, ok := profile.Text(name); ok {
		return name + ".yaml", data, nil
	}
	if file = name; !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(beside), name)
	}
	data, err = readInput(file)
	return file, data, err
}

// fromLine takes over what stands after the id if the case is a line of a test list. The note is for people; "": none.
func (r *Request) fromLine() (note string, err error) {
	test, err := testlist.Pasted(r.Case)
	if err != nil {
		return "", err
	}
	if test.Marker == testlist.Skip {
		return "", fmt.Errorf("cannot run %s: it is skipped by its line (%s): pass the id alone to run it", test.ID,
			cmp.Or(test.Reason, "no reason given"))
	}
	r.Case, r.Limit = test.ID, cmp.Or(test.Limit, r.Limit)
	if test.Marker != "" {
		note = fmt.Sprintf("the line says %s: that counts in a list only, this run ends with its own verdict",
			test.Marker)
	}
	return note, nil
}
