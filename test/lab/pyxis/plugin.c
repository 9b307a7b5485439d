// What pyxis does before the tasks of a step begin: it takes the options, and looks for the container.
#define _GNU_SOURCE
#include "step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

SPANK_PLUGIN(pyxis, 1)

struct step step = {.container = {.registry = "/var/lib/registry", .runtime = "/run/pyxis"}};

static void read_config(int ac, char **av)
{
	for (int i = 0; i < ac; i++) {
		if (strncmp(av[i], "registry=", 9) == 0)
			step.container.registry = av[i] + 9;
		if (strncmp(av[i], "runtime_path=", 13) == 0)
			step.container.runtime = av[i] + 13;
	}
}

int slurm_spank_init(spank_t sp, int ac, char **av)
{
	if (spank_context() != S_CTX_LOCAL && spank_context() != S_CTX_REMOTE)
		return 0;
	read_config(ac, av);
	return options_register(sp);
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	(void)sp;
	(void)ac;
	(void)av;
	if (!options_enabled())
		options_say_ignored();
	return options_enabled() && spank_context() == S_CTX_REMOTE ? enroot_make_folders(&step.container) : 0;
}

static int share(void)
{
	pthread_mutexattr_t attr;
	step.shared = mmap(NULL, sizeof *step.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (step.shared == MAP_FAILED)
		return -1;
	step.shared->holder = step.shared->joined = -1;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	return pthread_mutex_init(&step.shared->mutex, &attr) == 0 ? 0 : -1;
}

static int read_job(spank_t sp)
{
	if (spank_get_item(sp, S_JOB_ID, &step.container.job) == ESPANK_SUCCESS &&
		spank_get_item(sp, S_JOB_STEPID, &step.container.step) == ESPANK_SUCCESS &&
		spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &step.tasks) == ESPANK_SUCCESS &&
		spank_get_item(sp, S_JOB_TOTAL_TASK_COUNT, &step.all_tasks) == ESPANK_SUCCESS &&
		spank_get_item(sp, S_JOB_ENV, &step.container.environ) == ESPANK_SUCCESS)
		return 0;
	slurm_error("pyxis: couldn't get job info");
	return -1;
}

// gone is a process that has just ended: the container's owner ended after it was found.
static pid_t gone(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(EXIT_SUCCESS);
	waitpid(pid, NULL, 0);
	return pid;
}

// find looks for the container by its name, and decides how it is entered.
static int find(void)
{
	snprintf(step.container.name, sizeof step.container.name, "pyxis_%s", given.name);
	pid_t pid = enroot_list(&step.container);
	if (strcmp(given.mode, "create") == 0 && pid >= 0) {
		slurm_error("pyxis: error: \"create\" flag was passed to --container-name but the container already exists");
		return -1;
	}
	if (strcmp(given.mode, "exec") == 0 && pid <= 0) {
		slurm_error("pyxis: error: \"exec\" flag was passed to --container-name but the container is not running");
		return -1;
	}
	if (pid < 0 && given.image == NULL) {
		slurm_error("pyxis: error: a container with name \"%s\" does not exist, and --container-image is not set",
			step.container.name);
		return -1;
	}
	if (strcmp(given.mode, "no_exec") == 0 && pid > 0)
		pid = 0;
	if (pid >= 0 && strcmp(given.mode, "no_exec") != 0 && planned(&step.container, "race", NULL))
		pid = gone();
	step.reuse_root = pid >= 0;
	step.reuse_ns = pid > 0;
	step.shared->joined = step.reuse_ns ? pid : -1;
	return 0;
}

static int prepare(spank_t sp)
{
	struct container *c = &step.container;
	if (share() != 0 || read_job(sp) != 0 || (given.name != NULL && find() != 0))
		return -1;
	if (given.name == NULL) {
		snprintf(c->name, sizeof c->name, "pyxis_%u.%u", c->job, c->step);
		step.is_temporary = 1;
	}
	if (!step.reuse_root && strspn(given.image, "./") > 0)
		snprintf(c->squashfs, sizeof c->squashfs, "%s", given.image);
	else
		snprintf(c->squashfs, sizeof c->squashfs, "%s/%u.%u.squashfs", c->runtime, c->job, c->step);
	if (step.reuse_ns && given.mount_count > 0) {
		slurm_spank_log("pyxis: ignoring --container-mounts when attaching to a running container");
		given.mount_count = 0;
	}
	return 0;
}

// What user_init returns does not reach srun: the tasks tell.
int slurm_spank_user_init(spank_t sp, int ac, char **av)
{
	(void)ac;
	(void)av;
	if (options_enabled())
		step.failed = prepare(sp);
	return 0;
}
