// How enroot starts a container: a process gets a mount namespace of its own, makes the container's folder its root,
// and stops itself until somebody has joined it.
#define _GNU_SOURCE
#include "enroot.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *environment[MOST * 2]; // of the container's first process
static char *workdir = "/";

// fail_errno ends the process as a program of enroot's does.
static void __attribute__((format(printf, 1, 2), noreturn)) fail_errno(const char *text, ...)
{
	int why = errno;
	va_list args;
	va_start(args, text);
	vdprintf(STDERR_FILENO, text, args);
	dprintf(STDERR_FILENO, ": %s\n", strerror(why));
	_exit(EXIT_FAILURE);
}

static void set(const char *kv)
{
	size_t n = strcspn(kv, "="), i = 0;
	while (environment[i] != NULL && strncmp(environment[i], kv, n + 1) != 0)
		i++;
	if (i + 1 < sizeof environment / sizeof *environment)
		environment[i] = strdup(kv);
}

static void set_from_job(const struct container *c, const char *name)
{
	const char *value = job_variable(c, name);
	if (value != NULL && *value != '\0')
		set(format("%s=%s", name, value));
}

static void make_folders(const char *path)
{
	char *copy = strdup(path);
	for (char *slash = copy; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
		*slash = '\0';
		mkdir(copy, 0755); // it may be there; a mount will fail if it is not
	}
	mkdir(copy, 0755);
}

// make_target makes what a source can be mounted on.
static void make_target(const char *source, const char *target)
{
	struct stat s;
	if (stat(source, &s) == 0 && !S_ISDIR(s.st_mode)) {
		char *parent = strdup(target);
		*strrchr(parent, '/') = '\0';
		make_folders(parent);
		close(open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		return;
	}
	make_folders(target);
}

static void bind(const char *source, const char *target, unsigned long flags)
{
	unsigned long propagation = flags & (MS_PRIVATE | MS_SLAVE), others = flags & ~(MS_PRIVATE | MS_SLAVE | MS_REC);
	make_target(source, target);
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0 ||
		(others && mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | others, NULL) != 0) ||
		(propagation && mount(NULL, target, NULL, propagation | (flags & MS_REC), NULL) != 0))
		fail_errno("enroot-mount: failed to mount: %s at %s", source, target);
}

static void mount_tmpfs(const char *target)
{
	make_folders(target);
	if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, NULL) != 0)
		fail_errno("enroot-mount: failed to mount: tmpfs at %s", target);
}

// hold puts a folder of the host into the image, as it is there: /bin may be a link to usr/bin.
static void hold(const char *root, const char *folder)
{
	char *target = format("%s%s", root, folder), link[PATH_MAX] = {0};
	if (readlink(folder, link, sizeof link - 1) < 0)
		bind(folder, target, MS_RDONLY);
	else if (symlink(link, target) != 0 && errno != EEXIST)
		fail_errno("failed to create link: %s", target);
}

static void read_image(const char *root)
{
	FILE *f = fopen(format("%s/" IMAGE_FILE, root), "re"); // it is not there before everything is unpacked
	char *line = NULL;
	for (size_t size = 0; f != NULL && getline(&line, &size, f) > 0;) {
		line[strcspn(line, "\n")] = '\0';
		char *value = line, *key = strsep(&value, " ");
		if (strcmp(key, "dir") == 0)
			hold(root, value);
		else if (strcmp(key, "env") == 0)
			set(value);
		else if (strcmp(key, "workdir") == 0)
			workdir = strdup(value);
	}
}

static void mount_system(const struct container *c, const char *root)
{
	const char *home = job_variable(c, "HOME"), *pmix = job_variable(c, "PMIX_SERVER_TMPDIR");
	for (const char **dir = (const char *[]){"/proc", "/sys", "/dev", NULL}; *dir; dir++)
		bind(*dir, format("%s%s", root, *dir), 0);
	mount_tmpfs(format("%s/tmp", root));
	if (pmix && access(pmix, F_OK) == 0) // enroot's hook 50-slurm-pmi
		bind(pmix, format("%s%s", root, pmix), 0);
	if (home && *home == '/' && given.mount_home == 1)
		bind(home, format("%s%s", root, home), 0);
	else if (home && *home == '/')
		make_folders(format("%s%s", root, home));
}

static void mount_given(const char *root)
{
	for (struct mount *m = given.mounts; m < given.mounts + given.mount_count; m++) {
		char *target = format("%s/%s", root, m->target);
		if (strcmp(m->source, "tmpfs") == 0)
			mount_tmpfs(target);
		else if (strcmp(m->source, "umount") == 0)
			umount2(target, MNT_DETACH);
		else
			bind(m->source, target, m->flags);
	}
}

static int lock_root(const struct container *c, const char *root)
{
	int fd = open(format("%s/" LOCK_FILE, root), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (planned(c, "lock", NULL) || flock(fd, LOCK_EX) != 0)
		fail("Could not acquire rootfs lock");
	return fd;
}

static void switch_root(const char *root)
{
	unsigned long mode = given.writable == 1 ? 0 : MS_RDONLY;
	if (mount(NULL, root, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | mode, NULL) != 0)
		fail_errno("enroot-mount: failed to mount: none at %s", root);
	if (chdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0)
		fail_errno("enroot-switchroot: failed to switch root: %s", root);
	if (chdir(workdir) != 0)
		fail_errno("/etc/rc: cd: %s", workdir);
}

// start is the container's first process.
static void start(const struct container *c)
{
	char *root = root_of(c);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		fail_errno("enroot-nsenter: failed to create mount namespace");
	if (access(root, F_OK) != 0)
		fail("No such file or directory: %s", root);
	if (mount(root, root, NULL, MS_BIND, NULL) != 0)
		fail_errno("enroot-mount: failed to mount: %s at %s", root, root);
	int lock = lock_root(c, root);
	read_image(root);
	make_folders(format("%s%s", root, workdir));
	set_from_job(c, "TERM");
	for (size_t i = 0; i < given.env_count; i++)
		set_from_job(c, given.env[i]);
	mount_system(c, root);
	mount_given(root);
	set(format("PWD=%s", workdir));
	close(lock);
	switch_root(root);
	execve("/bin/sh", (char *[]){"sh", "-c", "kill -STOP $$ ; exit 0", NULL}, environment);
	fail_errno("enroot-switchroot: failed to execute: /bin/sh");
}

static int check_sources(void)
{
	struct stat s;
	for (struct mount *m = given.mounts; m < given.mounts + given.mount_count; m++)
		if (m->source[0] == '/' && stat(m->source, &s) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
			slurm_error("pyxis: --container-mounts: source path does not exist: %s", m->source);
			slurm_error("pyxis: couldn't create enroot start configuration script");
			return -1;
		}
	return 0;
}

pid_t enroot_start(const struct container *c)
{
	int status;
	pid_t pid = check_sources() == 0 ? spawn(start, c) : -1;
	if (pid < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &status, WUNTRACED)) < 0)
		pid = -1;
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		slurm_error("pyxis: container start failed with error code: %d", WEXITSTATUS(status)), pid = -1;
	else if (!WIFSTOPPED(status))
		slurm_error("pyxis: container exited too soon"), pid = -1;
	if (pid < 0)
		enroot_print_log();
	return pid;
}
