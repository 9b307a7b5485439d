// What the parts of enroot share.
#ifndef ENROOT_H
#define ENROOT_H

#include "pyxis.h"

#define LOCK_FILE ".lock"   // marks the root of a container
#define IMAGE_FILE ".image" // what the container was made of

// spawn runs something in a process of its own, whose output goes to a new log.
pid_t spawn(void (*what)(const struct container *), const struct container *c);
// root_of is the folder that becomes a container's root.
char *root_of(const struct container *c);
// format is sprintf into memory of its own.
char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));
// fail ends the process with a line, as enroot does.
void fail(const char *text, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
