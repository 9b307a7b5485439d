// Package lazyregexp compiles a regular expression when it is first needed: there is a process of disagg-agent for each
// rank, and most of them never need most expressions.
package lazyregexp

import (
	"regexp"
	"sync"
)

// New is an expression in regexp's syntax. The first call of what it returns compiles it, and panics if it is none.
func New(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
