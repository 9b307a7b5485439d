package diagnose

import (
	"slices"
	"strings"
	"testing"
)

// What stands before a message is cut off, and the level that it says is taken in.
func TestCut(t *testing.T) {
	tests := map[string]message{
		"plain text":              {text: "plain text"},
		"  File \"x.py\", line 1": {text: "  File \"x.py\", line 1"},
		"[rank3]: ValueError: x":  {text: "ValueError: x"},
		"[rank3]:   File \"x\"":   {text: "  File \"x\""},
		"[1,0]<stderr>:OSError":   {text: "OSError"},
		"12: OSError: x":          {text: "OSError: x"},
		" 3: OSError: x":          {text: "OSError: x"},

		"(EngineCore_0 pid=123) OSError: x":                               {text: "OSError: x"},
		"(see the manual) OSError":                                        {text: "(see the manual) OSError"},
		"2026-11-26 10:00:00,123 x":                                       {text: "x"},
		"2026-06-12T17:28:01.616583Z  INFO dynamo_llm::hub: done":         {level: normal, text: "done"},
		"2026-06-12T17:28:01.616583Z ERROR dynamo_runtime::worker: gone":  {level: grave, text: "gone"},
		"ERROR 11-26 10:00:00 [core.py:700] ValueError: x":                {level: grave, text: "ValueError: x"},
		"ERROR 11-26 10:00:00 [core.py:700]   File \"x\"":                 {level: grave, text: "  File \"x\""},
		"[11/26/2026-10:00:00] [TRT-LLM] [RANK 0] [E] no":                 {level: grave, text: "no"},
		"[11/26/2026-10:00:00] [TRT-LLM] [W] ERROR: no":                   {level: warning, text: "no"},
		"[TensorRT-LLM][ERROR] no":                                        {level: grave, text: "no"},
		"[2026-11-26 10:00:00 TP0] Load":                                  {text: "Load"},
		"[rank0]:[E1126 10:00:00.000111222 ProcessGroupNCCL.cpp:1895] no": {level: grave, text: "no"},
		"W1126 10:00:00.000111 154 model.py:106] no":                      {level: warning, text: "no"},
		"ERROR:root:no": {level: grave, text: "no"},
		"2026-11-26 10:00:00 - a.b - WARNING - no":      {level: warning, text: "no"},
		"2026-11-26 10:00:00 - ERROR - no":              {level: grave, text: "no"},
		"- a point of a list - and more":                {text: "- a point of a list - and more"},
		"INFO:     10.0.0.7:1 - GET":                    {level: normal, text: "10.0.0.7:1 - GET"},
		"slurmstepd: error: pyxis:     [INFO] Querying": {level: normal, text: "Querying"},
		"srun: error: n1: task 3: Killed":               {level: grave, text: "n1: task 3: Killed"},
		"E       ValueError: x":                         {text: "ValueError: x", tested: true},
		"E   [11/26/2026-10:00:00] [TRT-LLM] [I] iter":  {level: normal, text: "iter", tested: true},
		"ERROR x.py::test_a - no fixture":               {text: "ERROR x.py::test_a - no fixture"},

		"n1:42:43 [3] NCCL WARN no route":                    {level: warning, text: "NCCL: no route", native: true},
		"[176415.12] [n1:1  :0] ib.c:28 UCX  ERROR no route": {level: grave, text: "UCX: no route", native: true},
		"[Errno 98] in use":                                  {text: "[Errno 98] in use"},
		"I think that it works":                              {text: "I think that it works"},
		"10.0.0.7:8000 refused":                              {text: "10.0.0.7:8000 refused"},
		`{"level":"error","at":1}`:                           {level: grave, text: `{"level":"error","at":1}`},
		"  | ValueError: x":                                  {text: "ValueError: x"},
		"INTERNALERROR>   File \"x\"":                        {text: "  File \"x\""},
		"[":                                                  {text: "["},
		"":                                                   {},
	}
	for line, want := range tests {
		if got := cut(line); got != want {
			t.Errorf("%q:\ngot  %+v\nwant %+v", line, got, want)
		}
	}
}

// Each kind of line has its weight.
func TestWeigh(t *testing.T) {
	tests := map[string]weight{
		"Loading weights: 42%":                                     nothing,
		"no error was found":                                       nothing,
		"DeprecationWarning: old":                                  nothing,
		"x.py:3: UserWarning: it is killed soon":                   nothing,
		"Rank0 Task exit code: 0":                                  nothing,
		"Rank0 Task exit code: 10":                                 consequence,
		"http://x.y/z: fine":                                       nothing,
		"Error":                                                    nothing,
		"ValueError while it was loading":                          nothing,
		"    raise ValueError(\"CUDA out of memory\")":             nothing,
		"[W] CUDA out of memory":                                   nothing,
		"usage: trtllm-serve MODEL":                                nothing,
		"RuntimeError: cannot schedule new futures after shutdown": nothing,
		"E       assert 3 == 4":                                    nothing,
		"RuntimeError: Executor worker returned error":             pointer,
		"subprocess.CalledProcessError: Command 'x' returned non-zero exit status 1.": pointer,
		"FAILED a.py::b - subprocess.CalledProcessError: Comm...":                     pointer,
		"FAILED a.py::b": consequence,
		"FAILED a.py::timed out - AssertionError: no":       verdict,
		"asyncio.exceptions.CancelledError":                 consequence,
		"RuntimeError: worker died":                         consequence,
		"Killed":                                            consequence,
		"[E] Connection reset by peer":                      consequence,
		"[E] no tokenizer":                                  complaint,
		"cat: /x: No such file or directory":                complaint,
		"prog: error: bad option":                           complaint,
		"a.b.MyError: no":                                   root,
		"Exception: no":                                     root,
		"SystemExit: 3":                                     consequence,
		"[E] worker died: CUDA out of memory":               root,
		"sh: 1: frob: not found":                            root,
		"env: 'python3.13': No such file or directory":      root,
		"srun: error: execve(): trtllm-serve: No such file": root,
		"python3: fatal error: x":                           root,
		"E   KeyError: 'x'":                                 verdict,
		"ERROR: not found: /x/a.py::test_e2e[b]":            verdict,
	}
	for line, want := range tests {
		if got := weigh(cut(line), false); got != want {
			t.Errorf("%q weighs %d, want %d", line, got, want)
		}
	}
	for line, want := range map[string]weight{
		"nats.errors.NoServers: x": root, "queue.Empty": consequence, "Loading: 5%": nothing,
		"a.b.OldWarning: x": nothing, "socket.gaierror: x": root, "struct.error: x": root, "some.thing: x": nothing,
	} {
		if got := weigh(cut(line), true); got != want {
			t.Errorf("in a traceback %q weighs %d, want %d", line, got, want)
		}
	}
}

// Each word is found whatever its case is, and wherever in a text it stands.
func TestWordsAreFoundInAnyCase(t *testing.T) {
	s := newScanner(words())
	for _, w := range words() {
		for _, first := range []byte{w[0], upper(w[0])} {
			for _, second := range []byte{w[1], upper(w[1])} {
				for _, before := range []string{"", "~", "~~"} {
					text := before + string([]byte{first, second}) + strings.ToUpper(w[2:])
					if got := s.index([]byte(text)); got != len(before) {
						t.Errorf("%q is found at %d", text, got)
					}
				}
			}
		}
	}
}

// Every phrase that makes a line a find has one of the words by which lines are picked.
func TestWordsCoverPhrases(t *testing.T) {
	s := newScanner(words())
	for _, phrase := range slices.Concat(ownFaults(), deaths(), ends(), []string{
		"Traceback (most recent call last)", "Exception ignored in", "Error in atexit", "The above exception",
		"ValueError: x", "KeyboardInterrupt", "SystemExit: 3", "ERROR", "CRITICAL", "[E] x", "FAILED a.py",
		"x: command not found", "cannot run x", "x: No such file or directory", "x: Permission denied",
		"x: Is a directory", "x: File exists", "x: Read-only file system", "x: Stale file handle",
		"x: Argument list too long", "prog: fatal: x", "execve(): x", "sh: 1: x: not found",
	}) {
		for _, line := range []string{phrase, "y" + phrase} { // at an even and at an odd place
			if s.index([]byte(line)) < 0 {
				t.Errorf("%q has none of the words", line)
			}
		}
	}
	if got := s.index([]byte("ordinary text without any of them")); got != -1 {
		t.Errorf("found at %d", got)
	}
}
