package diagnose

import (
	"strings"
	"testing"
)

// cuts checks what is left of lines, with the level that they say.
func cuts(t *testing.T, list map[string]message) {
	t.Helper()
	for line, want := range list {
		if got := cut(line); got != want {
			t.Errorf("%q:\ngot  %+v\nwant %+v", line, got, want)
		}
	}
}

// Each notation of a time and each rank of srun's is cut off; numbers that are part of what is said are not.
func TestTimesAreCutOff(t *testing.T) {
	cuts(t, map[string]message{
		"10:00:00 x":                  {text: "x"},
		"10:00:00.123 x":              {text: "x"},
		"2026/11/26 10:00:00 x":       {text: "x"},
		"2026-11-26T10:00:00+01:00 x": {text: "x"},
		"11-26 10:00:00 x":            {text: "x"},
		"1/26 x":                      {text: "1/26 x"}, // shorter than the shortest date
		"10:00:00":                    {},
		"3:":                          {},
		"3: x":                        {text: "x"},
		"3:  x":                       {text: " x"}, // what is indented stays so
		"127: 3: x":                   {text: "x"},
		"3.5 seconds":                 {text: "3.5 seconds"},
		"3.12.1-2 is too old":         {text: "3.12.1-2 is too old"}, // an address or a version
		"10.0.0.7:80":                 {text: "10.0.0.7:80"},
		"42 is no answer":             {text: "42 is no answer"},
		"42":                          {text: "42"},
		"5:x is said":                 {text: "5:x is said"},
		"100%|██████████| 5/5": {text: "100%|██████████| 5/5"},
	})
}

// Ranks as srun pads them are cut off up to four digits, and so are the frames of exception groups.
func TestPaddedPrefixes(t *testing.T) {
	cuts(t, map[string]message{
		"   3: x":      {text: "x"},
		" 1023: x":     {text: "x"},
		" 10230: x":    {text: " 10230: x"},
		" : x":         {text: " : x"},
		" a3: x":       {text: " a3: x"},
		"    3: 4: x":  {text: "x"},
		" 3:x":         {text: " 3:x"},
		"  | x":        {text: "x"},
		"    | x":      {text: "x"},
		"  |   File":   {text: "  File"},
		"  +---------": {text: "  +---------"},
		"  |":          {text: "  |"},
	})
}

// What stands in brackets before a message is cut off, whatever it is; a system's error number is part of the message.
func TestBrackets(t *testing.T) {
	in := strings.Repeat("x", longestBracket-2) // with both brackets as long as is looked at
	cuts(t, map[string]message{
		"[a] [b]: [c]x":             {text: "x"},
		"[1,0]<stdout>: x":          {text: "x"},
		"[1,0]<stderr>: [rank0]: x": {text: "x"},
		"[]x":                       {text: "x"},
		"[E]x":                      {level: grave, text: "x"},
		"[warning]: x":              {level: warning, text: "x"},
		"[E1126] x":                 {level: grave, text: "x"},
		"[E112x] x":                 {text: "x"},
		"[I1126 10:00:00 a.cc:3] x": {level: normal, text: "x"},
		"[E11267 a] x":              {text: "x"},
		"[E] [I] x":                 {level: normal, text: "x"},  // a line that tells of an error at a lower level
		"[I] [E] x":                 {level: normal, text: "x"},  // what was said to be harmless stays so
		"[W] [E] x":                 {level: warning, text: "x"}, // likewise
		"[a] [Errno 2] x":           {text: "[Errno 2] x"},
		"[never closed":             {text: "[never closed"},
		"[" + in + "]x":             {text: "x"},
		"[" + in + "y]x":            {text: "[" + in + "y]x"},
	})
}

// The process that vLLM and Ray put before a line is cut off; other remarks in parentheses are not.
func TestProcesses(t *testing.T) {
	in := "pid=1 " + strings.Repeat("x", longestBracket-len("pid=1 "))
	cuts(t, map[string]message{
		"(EngineCore_0 pid=123) x":         {text: "x"},
		"(Worker_TP0 pid=1)ERROR x":        {level: grave, text: "x"},
		"(raylet, ip=10.0.0.7) x":          {text: "(raylet, ip=10.0.0.7) x"},
		"(pid=123":                         {text: "(pid=123"},
		"(" + in + ") x":                   {text: "x"},
		"(" + in + "y) x":                  {text: "(" + in + "y) x"},
		"(a) pid=3":                        {text: "(a) pid=3"},
		"(A pid=1) (B pid=2) [C] 1: why x": {text: "why x"},
	})
}

// Python's loggers put a level and a name before what they say, between dashes or colons.
func TestPythonsLoggers(t *testing.T) {
	cuts(t, map[string]message{
		"- a.b - INFO - x":          {level: normal, text: "x"},
		"- a b - INFO - x":          {text: "- a b - INFO - x"},
		"- a.b":                     {text: "- a.b"},
		"-a - b - x":                {text: "-a - b - x"},
		"- - ERROR - x":             {text: "- - ERROR - x"},
		"CRITICAL:a.b:x":            {level: grave, text: "x"},
		"WARNING:root:":             {level: warning},
		"ERROR:root: indented":      {level: grave, text: " indented"},
		"ERROR:no name":             {text: "ERROR:no name"},
		"ERROR: root: x":            {level: grave, text: "root: x"},
		"HTTP:root:x":               {text: "HTTP:root:x"},
		"error:root:x":              {text: "error:root:x"},
		"CRITICALLY:root:x":         {text: "CRITICALLY:root:x"},
		"std::bad_alloc:a:b":        {text: "std::bad_alloc:a:b"},
		"ERROR:a:b:c":               {level: grave, text: "b:c"},
		"INFO:root:ERROR:root:done": {level: normal, text: "done"},
	})
}

// A level is a word by itself, in capitals or before a colon. A letter alone, and a level in a sentence, are none.
func TestLevelsInWords(t *testing.T) {
	cuts(t, map[string]message{
		"ERROR x":                            {level: grave, text: "x"},
		"error: x":                           {level: grave, text: "x"},
		"error x":                            {text: "error x"},
		"Error: x":                           {level: grave, text: "x"},
		"fatal: x":                           {level: grave, text: "x"},
		"F: x":                               {text: "F: x"},
		"E x":                                {text: "E x"},
		"DEBUG:    x":                        {level: normal, text: "x"},
		"NOTICE x":                           {level: normal, text: "x"},
		"ERRORS x":                           {text: "ERRORS x"},
		"WARNING":                            {level: warning},
		"ERROR dynamo::a: x":                 {level: grave, text: "x"},
		"dynamo::a: x":                       {text: "dynamo::a: x"},
		"ERROR dynamo::a x":                  {level: grave, text: "dynamo::a x"},
		"ERROR a: x":                         {level: grave, text: "a: x"},
		"E1126 10:00:00.0 154 m.py:106] x":   {level: grave, text: "x"},
		"E1126 without a place":              {level: grave, text: "E1126 without a place"},
		"X1126 10:00:00.0 154 m.py:106] x":   {text: "X1126 10:00:00.0 154 m.py:106] x"},
		"sbatch: error: x":                   {level: grave, text: "x"},
		"enroot:     x":                      {text: "x"},
		"srun:x":                             {text: "srun:x"},
		"INTERNALERROR> ValueError: x":       {text: "ValueError: x"},
		"Rank0: ERROR x":                     {text: "Rank0: ERROR x"},
		strings.Repeat("[a] ", 16) + "[W] x": {text: "[W] x"}, // no line has so many: it is no logger's
		strings.Repeat("[a] ", 15) + "[W] x": {level: warning, text: "x"},
	})
}

// NCCL and UCX are recognised by their name and a level in capitals, near the beginning of a line.
func TestLibrariesAreRecognised(t *testing.T) {
	far := strings.Repeat("x", longestLibrary-len("NCCL ")) // the name just ends where the search does
	cuts(t, map[string]message{
		"NCCL INFO x":                {level: normal, text: "NCCL: x", native: true},
		"[0] NCCL  WARN  x":          {level: warning, text: "NCCL: x", native: true},
		"n1 UCX  DIAG  x":            {level: normal, text: "UCX: x", native: true},
		"NCCL warning x":             {text: "NCCL warning x"},
		"NCCL version 2.27":          {text: "NCCL version 2.27"},
		"UCX ERROR x":                {text: "UCX ERROR x"}, // it writes two blanks
		"NCCL WARN":                  {level: warning, text: "NCCL: ", native: true},
		"NCCL ":                      {text: "NCCL "},
		far + "NCCL WARN x":          {level: warning, text: "NCCL: x", native: true},
		far + "yNCCL WARN x":         {text: far + "yNCCL WARN x"},
		"RuntimeError: NCCL Error 1": {text: "RuntimeError: NCCL Error 1"},
	})
}

// A line that is JSON keeps its text, as its keys are not known, and says its level.
func TestJSONLines(t *testing.T) {
	for line, want := range map[string]level{
		`{"level":"ERROR"}`: grave, `{"a":1,"level": "warn"}`: warning, `{"level":"debug","x":"error"}`: normal,
		`{"level":30,"x":"error"}`: unsaid, `{"level":`: unsaid, `{"level":"error`: unsaid,
		`{"severity":"ERROR"}`: unsaid,
		`{`:                    unsaid, `[E] {"level":"info"}`: normal, `[W] {"level":"info"}`: warning,
	} {
		if got := cut(line); got.level != want {
			t.Errorf("%s: level %d, want %d", line, got.level, want)
		}
	}
}

// pytest's summary is recognised by a test or a file in it, before the reason, and is kept as it is: its FAILED and
// ERROR are no levels.
func TestSummaries(t *testing.T) {
	for line, want := range map[string]bool{
		"FAILED a.py::b": true, "FAILED a.py::b[c] - d": true, "ERROR a.py - no module": true, "ERROR a.py": true,
		"ERROR a/b.py::c": true, "FAILED to load a.py::b": true, "ERROR a.pyc": false, "FAILED x - in a.py::b": false,
		"FAILED": false, "PASSED a.py::b": false,
		"ERROR 11-26 10:00:00 [core.py:700] x": false, " FAILED a.py::b": false,
	} {
		if got := isSummary(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
		if m := cut(line); want && m != (message{text: line}) {
			t.Errorf("%q is cut to %+v", line, m)
		}
	}
}

// What is cut off a line was its beginning, and whatever a line is, this ends and says no more than the line does.
func FuzzCut(f *testing.F) {
	for _, line := range []string{
		"[rank3]: ValueError: x", "n1:42:43 [3] NCCL WARN no", "E   [a] (b pid=1) 1: - c - ERROR - d", "  | - - x",
		`{"level":"`,
		"E1126 1] x", "2026-11-26T10:00:00Z ERROR a::b: x",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		m := cut(line)
		for _, from := range []string{m.text, strings.TrimPrefix(strings.TrimPrefix(m.text, "NCCL: "), "UCX: ")} {
			if strings.HasSuffix(line, from) {
				return
			}
		}
		// Of what stands between dashes a name is cut off.
		if !strings.HasPrefix(m.text, "- ") || !strings.HasSuffix(line, m.text[2:]) {
			t.Errorf("%q is cut to %q", line, m.text)
		}
	})
}
