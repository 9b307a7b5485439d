package diagnose

import (
	"strings"
	"testing"
)

// weighs checks how much lines explain, outside of a traceback.
func weighs(t *testing.T, want weight, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if got := weigh(cut(line), false); got != want {
			t.Errorf("%q weighs %d, want %d", line, got, want)
		}
	}
}

// What drivers, libraries and the system say when a process cannot go on is a root, as they really say it.
func TestRoots(t *testing.T) {
	weighs(t, root,
		"slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks have been OOM Killed.",
		"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
		"[ 1234.5] NVRM: Xid (PCI:0000:18:00): 79, pid=1, GPU has fallen off the bus.",
		"Failed to initialize NVML: Driver/library version mismatch",
		"RuntimeError: No CUDA GPUs are available",
		"[n1:1:0:1] Caught signal 11 (Segmentation fault: address not mapped to object at address (nil))",
		"PMIx_Init failed for the following reason:",
		"*** An error occurred in MPI_Init_thread",
		"There are not enough slots available in the system to satisfy the 8",
		"python3: error while loading shared libraries: libnccl.so.2: cannot open shared object file",
		"python3: /lib/libc.so.6: version `GLIBC_2.38' not found (required by python3)",
		"ImportError: /x.so: undefined symbol: _ZN3c10",
		"OSError: [Errno 122] Disk quota exceeded",
		"OSError: [Errno 98] Address already in use",
		"terminate called after throwing an instance of 'std::bad_alloc'",
		"*** stack smashing detected ***: terminated",
		"free(): invalid pointer",
		"Fatal Python error: Segmentation fault",
		"fatal error: all goroutines are asleep - deadlock!",
		"panic: runtime error: index out of range [1] with length 1",
		"thread 'main' panicked at src/main.rs:3:5:",
		"x.cpp:3: f: Assertion `n > 0' failed.",
		"trtllm-serve: unrecognized option '--frob'",
	)
}

// A shell or a launcher that cannot run a program says why nothing ran.
func TestCannotRun(t *testing.T) {
	weighs(t, root,
		"bash: line 1: frob: command not found", "/bin/sh: 1: frob: not found", "bash: ./x: Permission denied",
		"env: 'x': No such file or directory", "numactl: x: No such file or directory", "exec: x: not found",
		"Cannot run x: Is a directory", "disagg-agent: cannot run x: no such file", "x: cannot execute binary file",
		"slurmstepd: error: execve(): x: Permission denied", "sh: x: Exec format error",
	)
	weighs(t, nothing, "bash: warning of nothing", "sh: x", "a shell: not found")
}

// A tool that complains ends its line with the system's words, or puts its name and error: before it.
func TestToolErrors(t *testing.T) {
	weighs(t, complaint,
		"cat: x: No such file or directory", "cp: x: Permission denied", "cat: x: Is a directory",
		"cd: x: Not a directory",
		"mkdir: x: File exists", "touch: x: Read-only file system", "dd: x: Input/output error",
		"ls: x: Stale file handle", "rm: Argument list too long", "prog: error: x", "prog: fatal: x",
	)
	weighs(t, nothing,
		"no such file or directory", "the folder is a directory", "a prog: error: x", "prog: errors: x",
		"cat: x: no such file or directory, so it is made",
	)
}

// What an end is, without why, explains little; an end that was a good one nothing.
func TestEnds(t *testing.T) {
	weighs(t, consequence,
		"Killed", "Aborted (core dumped)", "MPI_ABORT was invoked on rank 0", "Received SIGTERM", "Exit code: 1",
		"The process exited with 1", "EngineCore died unexpectedly", "worker is dead", "exit status 3",
	)
	weighs(t, nothing, "task exit code: 0", "exit code 0", "exit status 0", "it exited with code 0")
	weighs(t, consequence, "exit code 0 was expected", "it exited with code 00x")
}

// Whoever only passes on that something failed elsewhere points to it, also if the line looks like a root.
func TestPointers(t *testing.T) {
	weighs(t, pointer,
		"RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
		"vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above).",
		"ERROR:    Application startup failed. Exiting.", "[E] Exception in ASGI application",
		"ray.exceptions.RayTaskError(ValueError): x", "ray.exceptions.ActorDiedError: x",
		"torch.distributed.elastic.multiprocessing.errors.ChildFailedError:",
		"subprocess.CalledProcessError: Command 'x' returned non-zero exit status 2.",
		"mpirun noticed that process rank 3 exited on signal 9 (Killed).", "[E] Primary job  terminated normally",
		"[E] Task exception was never retrieved",
	)
	weighs(t, root, "RuntimeError: Executor worker returned error: CUDA out of memory") // it names the fault itself
}

// What may be somebody else's fault, or his end, is a consequence even as an exception.
func TestConsequences(t *testing.T) {
	weighs(t, consequence,
		"ConnectionResetError: [Errno 104] Connection reset by peer", "requests.exceptions.ConnectionError: x",
		"aiohttp.client_exceptions.ServerDisconnectedError: x", "TimeoutError: x", "EOFError",
		"KeyboardInterrupt", "urllib3.MaxRetryError: x",
		"RuntimeError: [1] is setting up NCCL communicator and got: wait timeout after 600000ms",
		"[E] Watchdog caught collective operation timeout", "OSError: broken pipe",
		"RuntimeError: the server did not become ready", "slurmstepd: error: pyxis: failed to import docker image",
		"torch.distributed.DistBackendError: ncclRemoteError: x", "[E] 503 Service Unavailable",
		"AssertionError: timed out",
	)
	weighs(t, consequence, "FAILED a.py::b - TimeoutError: x") // pytest knows no more of it
	for _, line := range []string{"httpx.ReadTimeout: x", "concurrent.futures.BrokenProcessPool: x", "queue.Empty"} {
		if got := weigh(cut(line), true); got != consequence { // of classes with such names only a traceback tells
			t.Errorf("in a traceback %q weighs %d", line, got)
		}
	}
}

// Names of exceptions end as they do in Python; a name with anything but a colon or the end behind it is a word.
func TestNamesOfExceptions(t *testing.T) {
	for line, want := range map[string]bool{
		"ValueError": true, "ValueError: x": true, "a.b_c.My2Error: x": true, "MyException": true, "Exception": true,
		"Interrupt": true, "Exit": false, "Error": false, "a.Error: x": false, "pytest.Exit": false, "SystemExit": true,
		"RayTaskError(ValueError): x": true, "RayTaskError(ValueError)": true, "RayTaskError(x": true,
		"ValueError x": false, "ValueError::x": false, "Value-Error: x": false, "": false, ": x": false,
		"Errors: x": false, "ÄError: x": false, "error: x": false, "OldWarning: x": false,
	} {
		if got := isException(line, false); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	// Within a traceback an exception may be called anything that looks like the name of a class of a module.
	for line, want := range map[string]bool{
		"queue.Empty": true, "a.Z: x": true, "a.A: x": true, "Empty": false, "a.b: x": false, "a.gaierror": true,
		"a.[": false, "a.: x": false, "a._Private: x": false, "a.Warning": false, "a.9x": false, "ValueError: x": true,
	} {
		if got := isException(line, true); got != want {
			t.Errorf("in a traceback, %q: %v", line, got)
		}
	}
}

// What is said while a process shuts down explains nothing, whatever it is said of.
func TestShutdownExplainsNothing(t *testing.T) {
	weighs(t, nothing,
		"Exception ignored in: <function A.__del__ at 0x7f>", "Exception ignored while calling deallocator",
		"Error in atexit._run_exitfuncs:", "Error in sys.excepthook:",
		"[E] destroy_process_group() was not called before program exit",
		"UserWarning: resource_tracker: There appear to be 1 leaked semaphore objects", "nanobind: leaked 3 instances!",
		"RuntimeError: Event loop is closed", "ImportError: sys.meta_path is None, Python is likely shutting down",
		"ERROR: Task was destroyed but it is pending!", "[E] Unclosed client session",
	)
	weighs(t, root, "RuntimeError: an exception ignored in time") // it is not what the line begins with
}

// A library's warning is none of Python's errors, whatever it warns of.
func TestWarningsExplainNothing(t *testing.T) {
	weighs(t, nothing,
		"/x/y.py:3: FutureWarning: CUDA out of memory", "FutureWarning: x", "W1126 1 a.cc:3] CUDA error: x",
		"n1:1:2 [0] NCCL WARN CUDA failure 'out of memory'", "INFO 11-26 10:00:00 [a.py:3] ValueError: x",
		strings.Repeat(" ", 4)+`raise ValueError("Segmentation fault")`,
	)
	weighs(t, complaint, "[E]     an indented error") // it says of itself that it is one
}

// The last line serves as a headline only if it is said in words, and not while Python shuts down.
func TestLastLinesThatSayNothing(t *testing.T) {
	for line, want := range map[string]bool{
		"bye": true, "Zed": true, "azA": true, "ab": false, "12 34": false, "": false, "====== done ======": false,
		"--- done": false, "___ done": false, "!!! done": false, "*** done": false, "#done": true, "[W] gone": false,
		"[I] done": true, "nanobind: leaked": false, "[[[{{{": false, "@@@`": false, "   ending": true,
	} {
		if got := mayBeLast(cut(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// A process goes on if it prints what is neither a warning nor a part of a traceback or of a stack.
func TestOrdinaryLines(t *testing.T) {
	for line, want := range map[string]bool{
		"serving": true, "[I] serving": true, "[W] retrying": false, "": false, "  at x": false, "\tat x": false,
		"# native": false, "| frame": false, "<frame>": false, "frame #3: x": false, "x 0x7f in y": false, "0x7f": true,
		"[E] no": true,
	} {
		if got := isOrdinary(cut(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
