// What pyxis does in each task, and after it.
#define _GNU_SOURCE
#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int create(void)
{
	int is_file = strspn(given.image, "./") > 0;
	if (!is_file && step.all_tasks <= 1)
		slurm_spank_log("pyxis: importing docker image: %s", given.image);
	if (!is_file && enroot_import(&step.container) != 0) {
		slurm_error("pyxis: failed to import docker image: %s", given.image);
		enroot_print_log();
		return -1;
	}
	if (!is_file)
		slurm_spank_log("pyxis: imported docker image: %s", given.image);
	int rc = enroot_create(&step.container);
	if (rc != 0) {
		slurm_error("pyxis: failed to create container filesystem for image: %s", given.image);
		enroot_print_log();
	}
	if (!is_file)
		unlink(step.container.squashfs);
	return rc;
}

// start_once makes and starts the container in the first task; the others wait for it.
static int start_once(void)
{
	if (pthread_mutex_lock(&step.shared->mutex) == EOWNERDEAD) {
		pthread_mutex_consistent(&step.shared->mutex);
		slurm_error("pyxis: a previous task terminated unexpectedly during container setup");
		step.shared->holder = step.shared->joined = -1;
		step.shared->begun++;
	}
	int rc = 0;
	if (step.shared->begun++ == 0) {
		rc = step.reuse_root ? 0 : create();
		if (rc == 0)
			step.shared->holder = enroot_start(&step.container);
		if (!step.reuse_ns)
			step.shared->joined = step.shared->holder;
	}
	if (rc == 0 && (step.shared->holder < 0 || step.shared->joined < 0)) {
		slurm_error("pyxis: container was not started successfully by another task");
		rc = -1;
	}
	pthread_mutex_unlock(&step.shared->mutex);
	return rc;
}

// import_environment gives the task the container's variables: they win, but over those that the user exports.
static int import_environment(spank_t sp)
{
	for (const char **name = (const char *[]){"LANG", "LANGUAGE", "LC_ALL", NULL}; *name; name++)
		if (!options_exported(*name))
			spank_unsetenv(sp, *name);
	char path[64], *kv = NULL, rank[16];
	snprintf(path, sizeof path, "/proc/%d/environ", step.shared->holder);
	FILE *f = fopen(path, "re");
	if (f == NULL) {
		slurm_error("pyxis: couldn't read %s", path);
		slurm_error("pyxis: couldn't read container environment");
		return -1;
	}
	for (size_t size = 0; getdelim(&kv, &size, '\0', f) > 0;) {
		char *value = kv, *name = strsep(&value, "=");
		if (value != NULL)
			spank_setenv(sp, name, value, !options_exported(name));
	}
	fclose(f);
	// What PyTorch wants to know, where the image has it.
	if (spank_getenv(sp, "PYTORCH_VERSION", rank, sizeof rank) == ESPANK_ENV_NOEXIST)
		return 0;
	if (spank_getenv(sp, "SLURM_PROCID", rank, sizeof rank) == ESPANK_SUCCESS)
		spank_setenv(sp, "RANK", rank, 1);
	if (spank_getenv(sp, "SLURM_LOCALID", rank, sizeof rank) == ESPANK_SUCCESS)
		spank_setenv(sp, "LOCAL_RANK", rank, 1);
	return 0;
}

static int open_namespace(const char *name, const char *file)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/%s", step.shared->joined, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		slurm_error("pyxis: unable to open %s namespace file: %s", name, strerror(errno));
		slurm_error("pyxis: couldn't get container namespaces");
	}
	return fd;
}

static int join(void)
{
	char path[64], cwd[PATH_MAX] = {0};
	// pyxis joins the first too; whoever runs a job here is root, and stays so.
	int user = open_namespace("user", "user"), mnt = user < 0 ? -1 : open_namespace("mount", "mnt");
	if (mnt < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/cwd", step.shared->holder);
	if (readlink(path, cwd, sizeof cwd - 1) < 0) {
		slurm_error("pyxis: couldn't read container cwd: %s", strerror(errno));
		slurm_error("pyxis: couldn't get container directory");
		return -1;
	}
	if (setns(mnt, CLONE_NEWNS) != 0) {
		slurm_error("pyxis: couldn't join mount namespace: %s", strerror(errno));
		return -1;
	}
	if (given.workdir && chdir(given.workdir) != 0) {
		slurm_error("pyxis: couldn't chdir to %s: %s", given.workdir, strerror(errno));
		return -1;
	}
	if (given.workdir == NULL && chdir(cwd) != 0) {
		slurm_error("pyxis: couldn't chdir to container cwd %s: %s", cwd, strerror(errno));
		return -1;
	}
	return 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
	(void)ac;
	(void)av;
	if (!options_enabled() || step.failed)
		return step.failed;
	// The task's own variables: they have PMIx's.
	if (spank_get_item(sp, S_JOB_ENV, &step.container.environ) != ESPANK_SUCCESS || start_once() != 0)
		return -1;
	pid_t holder = step.shared->holder;
	if (import_environment(sp) != 0 || join() != 0)
		return -1;
	// The last one lets the process go that keeps the container: the tasks keep it now.
	if (__atomic_add_fetch(&step.shared->started, 1, __ATOMIC_SEQ_CST) == step.tasks)
		kill(holder, SIGCONT);
	return 0;
}

int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
	(void)sp;
	(void)ac;
	(void)av;
	if (!options_enabled() || step.shared == NULL)
		return 0;
	if (__atomic_add_fetch(&step.shared->ended, 1, __ATOMIC_SEQ_CST) != step.tasks)
		return 0; // another one is the last
	int rc = 0;
	if (given.save && step.shared->started == step.tasks) { // all have begun
		rc = enroot_export(&step.container, given.save);
		if (rc != 0)
			slurm_error("pyxis: failed to export container %s to %s", step.container.name, given.save);
		else
			slurm_spank_log("pyxis: exported container %s to %s", step.container.name, given.save);
	}
	if (step.is_temporary)
		enroot_remove(&step.container);
	return rc;
}
