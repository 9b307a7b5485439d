package results

import "strings"

// maxObject bounds what is kept of an object that is not whole yet, in bytes: results are of kilobytes, or of megabytes
// with a number for each request.
const maxObject = 16 << 20

// collector puts the lines of a client's file together to JSON objects, one of which may stand on one line or on many.
// An object begins with a brace at the beginning of a line. What stands between objects is ignored.
type collector struct {
	text  []byte
	state jsonState
	open  bool // an object has begun
	piece bool // the line that came last goes on
}

// add takes a line, and returns the object that it completes. The fault tells why what was collected before is none.
func (c *collector) add(line string) (whole []byte, fault string) {
	goesOn := c.piece
	c.piece = len(line) == MaxLine
	switch {
	case strings.HasPrefix(line, "{") && !goesOn:
		if c.open {
			fault = cutShort
		}
		c.reset()
		c.open = true
	case !c.open:
		return nil, ""
	case !goesOn:
		c.text = append(c.text, '\n')
	}
	if len(c.text)+len(line) > maxObject {
		c.reset()
		return nil, "the client's result has more than 16 MiB: have it leave out what it measured of each request"
	}
	c.text = append(c.text, line...)
	for i := range len(line) {
		c.state.next(line[i])
	}
	if c.state.depth > 0 || c.state.inText {
		return nil, fault
	}
	whole = c.text
	c.reset()
	return whole, fault
}

func (c *collector) reset() { c.text, c.state, c.open = nil, jsonState{}, false }

// cutShort is what is wrong with an object that does not end.
const cutShort = "the client's result is cut short"
