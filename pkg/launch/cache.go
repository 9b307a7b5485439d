package launch

import (
	"context"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
)

// Cache keeps what many plans need: profiles and recipes as they were read, and what is known of a checkout's test.
// Plans share them, and change nothing in them. It is not safe for concurrent use; nil keeps nothing.
type Cache struct {
	tests    map[string]perfsanity.Test
	recipes  map[string]recipe.Recipe
	profiles map[string]profile.Profile
	states   map[string]gitState
}

func (c *Cache) test(checkout string) (*perfsanity.Test, error) {
	if c == nil {
		c = &Cache{}
	}
	test, err := kept(&c.tests, checkout, func() (perfsanity.Test, error) {
		return perfsanity.FindTest(checkout, readInput)
	})
	return &test, err
}

func (c *Cache) recipe(nameOrFile string) (recipe.Recipe, error) {
	if c == nil {
		c = &Cache{}
	}
	return kept(&c.recipes, nameOrFile, func() (recipe.Recipe, error) { return loadRecipe(nameOrFile) })
}

func (c *Cache) profile(nameOrFile string) (profile.Profile, error) {
	if c == nil {
		c = &Cache{}
	}
	return kept(&c.profiles, nameOrFile, func() (profile.Profile, error) { return loadProfile(nameOrFile) })
}

// checkoutState is what a checkout is at.
func (c *Cache) checkoutState(ctx context.Context, dir string) gitState {
	if c == nil {
		c = &Cache{}
	}
	state, _ := kept(&c.states, dir, func() (gitState, error) { return readGit(ctx, dir), nil })
	return state
}

// kept reads something once. What cannot be read is not kept.
func kept[T any](all *map[string]T, name string, read func() (T, error)) (T, error) {
	if v, known := (*all)[name]; known {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	if *all == nil {
		*all = map[string]T{}
	}
	(*all)[name] = v
	return v, nil
}
