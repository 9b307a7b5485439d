// A stand-in for NVIDIA's pyxis 0.24.0, and for the enroot 4.1.2 that it calls: the same options, the same order of
// events, the same lines and codes where it fails. What differs:
//
//   - An image is a text file of lines: "#image" first, then "dir /usr" (a folder of the host that the image holds),
//     "env NAME=VALUE" and "workdir /w".
//   - A registry is a folder (registry= in plugstack.conf), where nvidia/x:1 is the file nvidia+x+1.sqsh.
//   - A container has a mount namespace of its own, and none for users: only root can start one.
//   - Of enroot's log only the lines that matter are there, and no entrypoint is run. sbatch has no options.
//
// PYXIS_STUB in the job's environment plans failures, on each host for itself, as words with a blank between:
//
//   import=503:2  the first two imports of the job get this code of HTTP
//   race=1        the first step that enters a container that is there already finds that its owner has just ended
//   lock=1        the first start of a container cannot have the lock of its root
//   unpack=3:1    the first container to be made takes three seconds
#ifndef PYXIS_H
#define PYXIS_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include <slurm/spank.h>

enum { MOST = 128 }; // of mounts, and of names of variables

// mount is one of --container-mounts.
struct mount {
	char *source, *target;
	unsigned long flags; // of mount(2)
};

// options is what the command line says. Numbers are -1 where it says nothing.
struct options {
	char *image, *workdir, *name, *mode, *save;
	int mount_home, remap_root, entrypoint, entrypoint_log, writable;
	struct mount mounts[MOST];
	size_t mount_count;
	char *env[MOST]; // names
	size_t env_count;
};

extern struct options given;

// options_register makes srun know the options.
int options_register(spank_t sp);
// options_enabled tells whether a container is wanted.
int options_enabled(void);
// options_say_ignored names the options that have no effect without an image or a name.
void options_say_ignored(void);
// options_exported tells whether the host's value of a variable wins over the image's.
int options_exported(const char *name);
// options_add_mount adds a mount; flags are of pyxis, joined by "+", or NULL.
int options_add_mount(const char *source, const char *target, const char *flags);

// container is the one that a step runs in.
struct container {
	char name[NAME_MAX];
	char squashfs[PATH_MAX]; // the image's file
	const char *registry, *runtime;
	char **environ; // the job's
	unsigned job, step;
};

// enroot_make_folders makes the folders of all containers.
int enroot_make_folders(const struct container *c);
// enroot_list finds a container by name: -1: there is none, 0: it does not run, else the first of its processes.
pid_t enroot_list(const struct container *c);
// enroot_import fetches an image into c->squashfs; enroot_create unpacks it; enroot_remove and enroot_export do what
// their names say. They return -1 on failure, and have said why.
int enroot_import(const struct container *c);
int enroot_create(const struct container *c);
int enroot_remove(const struct container *c);
int enroot_export(const struct container *c, const char *path);
// enroot_start starts a container and returns its process, which has stopped itself, or -1.
pid_t enroot_start(const struct container *c);
// enroot_print_log prints what the last of these left.
void enroot_print_log(void);

// planned tells whether a failure is planned for now, and counts it; number gets what stands behind it.
int planned(const struct container *c, const char *kind, int *number);
// job_variable is a variable of the job, or NULL.
const char *job_variable(const struct container *c, const char *name);

#endif
