package gpu

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Environment is what [Command] needs in its environment: times that mean the same everywhere.
const Environment = "TZ=UTC"

// Command samples GPUs, named by index or id, again and again.
func Command(names []string, every time.Duration) []string {
	return []string{
		"nvidia-smi", "--id=" + strings.Join(names, ","),
		"--query-gpu=timestamp,index,utilization.gpu,memory.used,power.draw", "--format=csv,noheader,nounits",
		"--loop-ms=" + strconv.FormatInt(every.Milliseconds(), 10),
	}
}

// Quantity is what a number of a sample tells, and its place after the index.
type Quantity int

// The quantities, as nvidia-smi is asked for them.
const (
	Utilization Quantity = iota // 0 to 1
	Memory                      // bytes in use
	Power                       // watts

	quantities
)

// units are nvidia-smi's, as parts or multiples of ours: per cent, MiB, watts.
var units = [quantities]struct{ times, over float64 }{Utilization: {1, 100}, Memory: {1 << 20, 1}, Power: {1, 1}}

// most bounds what a GPU can have, in nvidia-smi's units: more is a slip of the driver, or no sample.
var most = [quantities]float64{Utilization: 100, Memory: 1 << 24, Power: 1e5}

// mostIndex bounds the number of a GPU on its host.
const mostIndex = 1023

// Sample is what a GPU did at a time.
type Sample struct {
	At     time.Time
	Index  int // on its host
	Values [quantities]float64
}

// Value is a quantity; ok is false if the driver does not tell it.
func (s Sample) Value(q Quantity) (v float64, ok bool) {
	v = s.Values[q]
	return v, !math.IsNaN(v)
}

// stamp is how nvidia-smi writes times, which may have milliseconds.
const stamp = "2006/01/02 15:04:05"

// Parse reads a line that [Command] printed.
func Parse(line string) (s Sample, err error) {
	fields := strings.Split(line, ",")
	if len(fields) != 2+int(quantities) {
		return s, fmt.Errorf("%d fields: want %d", len(fields), 2+int(quantities))
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	if s.At, err = time.Parse(stamp, fields[0]); err != nil {
		return s, errors.New("it begins with no time")
	}
	if s.Index, err = strconv.Atoi(fields[1]); err != nil || s.Index < 0 || s.Index > mostIndex {
		return s, fmt.Errorf("the index of the GPU is %q", fields[1])
	}
	for q := range quantities {
		if s.Values[q], err = number(fields[2+q], most[q]); err != nil {
			return s, err
		}
		s.Values[q] = s.Values[q] * units[q].times / units[q].over
	}
	return s, nil
}

// number is a number that is not above a bound, or NaN for what the driver does not tell: "[N/A]", "[Not Supported]".
func number(text string, most float64) (float64, error) {
	if strings.HasPrefix(text, "[") || text == "N/A" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= most) {
		return 0, fmt.Errorf("%q is not a number from 0 to %g", text, most)
	}
	return v, nil
}
