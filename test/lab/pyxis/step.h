// What the hooks know of the step that they are called for.
#ifndef STEP_H
#define STEP_H

#include "pyxis.h"

#include <pthread.h>

// shared is what the tasks of a step on a host share.
struct shared {
	pthread_mutex_t mutex;
	unsigned begun, started, ended;
	pid_t holder; // the process that keeps the container until all tasks have joined it
	pid_t joined; // the one whose namespaces the tasks join: the same, or one of another step
};

struct step {
	struct container container;
	struct shared *shared;
	unsigned tasks, all_tasks; // on this host, and on all
	int failed;                // user_init has: the tasks tell
	int reuse_root, reuse_ns;  // how the container is come by
	int is_temporary;          // it ends with the step
};

extern struct step step;

#endif
