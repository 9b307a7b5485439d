package launch

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/spelling"
)

// loadSettled loads a case with settings, of which those that are no values of the recipe are the case's. The case then
// has all of them, in their order, under whole keys.
func loadSettled(rec recipe.Recipe, settings []roles.Setting, src perfsanity.Source) (roles.Case, []byte, error) {
	for _, s := range settings {
		if _, ofRecipe := rec.Values[s.Key]; !ofRecipe {
			src.Settings = append(src.Settings, s)
		}
	}
	c, kept, err := perfsanity.Load(src)
	if unknown, ok := errors.AsType[*perfsanity.UnknownKey](err); ok {
		return c, nil, unknownKey(unknown, rec)
	}
	if err != nil {
		return c, nil, err
	}
	c.Settings = inOrder(rec, settings, c.Settings)
	for i, s := range c.Settings {
		if slices.ContainsFunc(c.Settings[:i], func(other roles.Setting) bool { return other.Key == s.Key }) {
			return c, nil, fmt.Errorf("cannot set %s twice: leave one out", s.Key)
		}
	}
	return c, kept, nil
}

// unknownKey says that a setting is of neither, and what was perhaps meant.
func unknownKey(e *perfsanity.UnknownKey, rec recipe.Recipe) error {
	names := slices.Sorted(maps.Keys(rec.Values))
	text := fmt.Sprintf("cannot set %s: %s has no such key, and recipe %s no such value: it has %s", e.Key, e.File,
		rec.Name, strings.Join(names, ", "))
	if near := cmp.Or(e.Near, spelling.Nearest(e.Key, names)); near != "" {
		text += "; did you mean " + near + "?"
	}
	return errors.New(text)
}

// inOrder puts settings into the order in which they were given; those of the case are known by whole keys.
func inOrder(rec recipe.Recipe, given, ofCase []roles.Setting) (list []roles.Setting) {
	for _, s := range given {
		if _, ofRecipe := rec.Values[s.Key]; !ofRecipe {
			s, ofCase = ofCase[0], ofCase[1:]
		}
		list = append(list, s)
	}
	return list
}

// valuesOf are the settings that are values of the recipe.
func valuesOf(rec recipe.Recipe, settings []roles.Setting) map[string]string {
	values := map[string]string{}
	for _, s := range settings {
		if _, ofRecipe := rec.Values[s.Key]; ofRecipe {
			values[s.Key] = s.Value
		}
	}
	return values
}
