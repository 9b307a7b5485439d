// Package spelling guesses what a mistyped name was meant to be.
//
// Rules:
//   - A guess is offered, never taken: whoever typed the name decides.
//   - What is too far from every known name gets no guess: a wrong one is worse than none.
package spelling

import (
	"fmt"
	"strings"
)

// Hint is a question that ends a message about an unknown name, such as "did you mean run?", without a blank before it;
// "" if no known name is near. Of several that are equally near the first is taken.
func Hint(typed string, known []string) string {
	if name := Nearest(typed, known); name != "" {
		return fmt.Sprintf("did you mean %s?", name)
	}
	return ""
}

// shortest is how long a beginning must be to stand for the name that it begins, in bytes.
const shortest = 3

// Nearest is the known name that a mistyped one is most like; "" if none is near: a third of its letters, and at least
// one, may be wrong, missing, added, or have changed places with the next. The beginning of a name is near to it, too.
func Nearest(typed string, known []string) (nearest string) {
	typed = strings.ToLower(typed)
	least := -1
	for _, name := range known {
		lower := strings.ToLower(name)
		d := distance(typed, lower)
		if len(typed) >= shortest && strings.HasPrefix(lower, typed) {
			d = min(d, 1)
		}
		if d <= max(1, max(len(typed), len(name))/3) && d < len(name) && (least < 0 || d < least) {
			nearest, least = name, d
		}
	}
	return nearest
}

// longest bounds what is compared, in bytes: names are short, and what is typed may be anything. Beyond it everything
// counts as different.
const longest = 64

// distance is how many letters must be changed, added, left out, or exchanged with the next to make one text the other.
func distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	var before, last []int // rows of the table for what comes before a[i-1], and before a[i]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
