package dispatch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
)

// Axis is a key that is varied, and its values in their order.
type Axis struct {
	Key    string
	Values []string
}

// ParseAxis reads KEY=VALUE,VALUE…: a comma within brackets or braces is part of a value.
func ParseAxis(text string) (Axis, error) {
	key, list, ok := strings.Cut(text, "=")
	if key = strings.TrimSpace(key); !ok || key == "" {
		return Axis{}, fmt.Errorf("cannot read --vary %q: want KEY=VALUE,VALUE", text)
	}
	a := Axis{Key: key}
	for _, value := range splitValues(list) {
		if value = strings.TrimSpace(value); value == "" {
			return a, fmt.Errorf("cannot read --vary %q: a value is empty", text)
		}
		if slices.Contains(a.Values, value) {
			return a, fmt.Errorf("cannot read --vary %q: %s is given twice", text, value)
		}
		a.Values = append(a.Values, value)
	}
	return a, nil
}

// splitValues splits a list at its commas, but for those within brackets or braces.
func splitValues(list string) (values []string) {
	depth, begin := 0, 0
	for i, r := range list {
		switch r {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth <= 0 {
				values, begin = append(values, list[begin:i]), i+1
			}
		}
	}
	return append(values, list[begin:])
}

// MostVariants bounds the variants of a case. More is a slip.
const MostVariants = 1000

// Variants are what comes of varying keys: every combination of their values. The last key changes first.
func Variants(texts []string) (variants [][]roles.Setting, err error) {
	if len(texts) == 0 {
		return nil, nil
	}
	variants = [][]roles.Setting{nil}
	var keys []string
	for _, text := range texts {
		a, err := ParseAxis(text)
		if err != nil {
			return nil, err
		}
		if slices.Contains(keys, a.Key) {
			return nil, fmt.Errorf("cannot vary %s twice: give all of its values in one --vary", a.Key)
		}
		if keys = append(keys, a.Key); len(variants)*len(a.Values) > MostVariants {
			return nil, fmt.Errorf("cannot vary so much: there are more than %d combinations: give fewer values",
				MostVariants)
		}
		variants = a.times(variants)
	}
	return variants, nil
}

// times are the combinations of settings with each value of the axis.
func (a Axis) times(variants [][]roles.Setting) (all [][]roles.Setting) {
	for _, v := range variants {
		for _, value := range a.Values {
			all = append(all, append(slices.Clone(v), roles.Setting{Key: a.Key, Value: value}))
		}
	}
	return all
}
