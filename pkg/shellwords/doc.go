// Package shellwords splits a text into words as a shell would, without expanding anything.
package shellwords
