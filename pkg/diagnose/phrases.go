package diagnose

import "strings"

// The lists below are in lower case, and looked for anywhere in a message.

// ownFaults are what a driver says of a GPU, and the system of memory. They are nobody's consequence, whoever passes
// them on.
func ownFaults() []string {
	return []string{
		"oom-kill", "oom_kill", "oom killed",
		"out of memory", "outofmemory", "cuda error", "cuda failure", "cuda runtime error", "cuda driver error",
		"illegal memory access", "device-side assert", "uncorrectable ecc", "nvrm: xid", "no cuda gpus are available",
		"stack smashing detected", // ": terminated", it goes on
		"driver/library version mismatch", "cublas_status_", "cudnn_status_", "cusolver_status_",
	}
}

// deaths are what other libraries and the system say when a process cannot go on.
func deaths() []string {
	return []string{
		// communication
		"nccl error", "nccl failure", "ncclsystemerror", "ncclinternalerror", "ncclunhandledcudaerror",
		"ncclinvalidusage", "caught signal", "pmi2_init failed", "pmi_init failed", "pmix_init failed",
		"mpi_init failed", "an error occurred in mpi_", "an error occurred on a call to mpi_",
		"there are not enough slots",
		// the system
		"cannot allocate memory", "segmentation fault", "segfault at", "bus error", "illegal instruction",
		"floating point exception", "error while loading shared libraries", "symbol lookup error", "undefined symbol",
		"cannot open shared object file", "no space left on device", "disk quota exceeded", "too many open files",
		"address already in use", "' not found (required by", "> is invalid",
		// runtimes
		"terminate called", "unrecognized option", "!failed requests!",
		"double free or corruption", "double free detected", "invalid pointer", "corrupted size vs",
		"corrupted double-linked list", "malloc(): invalid", "malloc(): corrupted", "malloc(): unaligned",
		"free(): invalid", "realloc(): invalid", "munmap_chunk(): invalid", "malloc_consolidate(): invalid",
		"transport retry count exceeded",
		"assertion failed", "assertion `", "fatal python error", "fatal error: ", "panic: ", "panicked at",
	}
}

// ends are what is said of a process that ended, without why.
func ends() []string {
	return []string{
		"killed", "aborted", "core dumped", "mpi_abort", "sigterm", "sigkill", "sigquit", "exit code", "exited with",
		"exit status", "died unexpectedly", "is dead", "forced exit",
	}
}

// pointers are what is said by those who only know that something else failed.
func pointers() []string {
	return []string{
		"root cause above", "for root cause", "for the root cause", "see above", "see stack trace",
		"see the stack trace", "see the error above", "errors above", "logs above", "log above", "above for details",
		"check the log", "see the log", "check log for errors", "executor worker returned error",
		"executor worker died", "engine core initialization failed", "engine core proc",
		"engine process failed to start", "enginecore failed to start", "enginecore encountered", "enginedeaderror",
		"asyncllm output_handler failed", "workerproc hit an exception", "workerproc initialization failed",
		"workerproc failed to start", "scheduler hit an exception", "scheduler is dead", "subprocess failed to start",
		"initialization failed. see", "application startup failed", "exception in asgi application",
		"error in server process", "received sigquit from a child", "raytaskerror", "actordiederror", "rayactorerror",
		"childfailederror", "processraisedexception", "exceptiongroup: ", "exception group traceback",
		"calledprocesserror", "returned non-zero exit status", "returned a non-zero exit code",
		"exited with non-zero status", "exited on signal", "primary job", "executor was shut down",
		"executor is shutting down", "printing enroot log", "printing contents of log file",
		"task exception was never retrieved", "future exception was never retrieved", "interrupted: ", "no tests ran",
	}
}

// consequences are what is said of the end of somebody else, of the way to him, or of an end without a reason.
func consequences() []string {
	return append(ends(),
		"connection reset", "connection refused", "connection closed", "connection aborted", "connection lost",
		"broken pipe", "endpoint timeout", "retry count exceeded", "failed with error code",
		"remote peer", "peer closed", "remote process exited", "ncclremoteerror",
		"socket timeout", "cannot connect to host", "failed to connect to all addresses", "timed out",
		"timeout after", "wait timeout", "watchdog", "heartbeat", "not ready", "did not become ready",
		"failed to become ready", "failed to become healthy", "unhealthy", "process died", "process has died",
		"worker died", "server died", "server has died", "process exited", "server exited", "worker exited",
		"terminated by signal", "was terminated", ": terminated",
		"taking the entire process down", "received signal", "caught sigterm", "shutting down",
		"cancelled at", "task launch failed", "pyxis: failed", "failed to import docker image",
		"couldn't start container", "container start failed",
		"failed to create container filesystem", "child process", "503 service unavailable",
		"502 bad gateway", "internal server error",
	)
}

// isShutdown tells whether a message is what is said while a process shuts down, whatever it died of.
func isShutdown(s string) bool {
	return opensNoise(s) || containsAny(strings.ToLower(s), []string{
		"python is likely shutting down", "interpreter shutdown", "resource_tracker", "leaked semaphore",
		"leaked shared_memory", "destroy_process_group", "nanobind: ", "task was destroyed but it is pending",
		"unclosed client session", "unclosed connector", "cannot schedule new futures", "event loop is closed",
		"event loop stopped before future", "sys.meta_path is none", "no running event loop",
	})
}

// opensNoise tells whether the traceback that follows a line is of no account.
func opensNoise(s string) bool {
	for _, opening := range []string{
		"Exception ignored in", "Exception ignored while", "Error in atexit", "Error in sys.excepthook",
	} {
		if strings.HasPrefix(s, opening) {
			return true
		}
	}
	return false
}

// isTraceback tells whether a traceback begins.
func isTraceback(s string) bool { return strings.Contains(s, "Traceback (most recent call last)") }

// tellsFailure tells whether a warning may go with a traceback: "failed to import x".
func tellsFailure(s string) bool {
	return containsAny(strings.ToLower(s), []string{
		"fail", "error", "exception", "could not", "cannot", "can't", "unable", "import",
	})
}
