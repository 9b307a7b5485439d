// The options, and how their arguments are read.
#define _GNU_SOURCE
#include "pyxis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

struct options given = {
	.mount_home = -1, .remap_root = -1, .entrypoint = -1, .entrypoint_log = -1, .writable = -1,
};

int options_enabled(void) { return given.image != NULL || given.name != NULL; }

int options_exported(const char *name)
{
	for (size_t i = 0; i < given.env_count; i++)
		if (strcmp(given.env[i], name) == 0)
			return 1;
	return 0;
}

static unsigned long mount_flag(const char *name)
{
	static const struct {
		const char *name;
		unsigned long flag;
	} known[] = {
		{"ro", MS_RDONLY}, {"nosuid", MS_NOSUID}, {"nodev", MS_NODEV}, {"noexec", MS_NOEXEC},
		{"private", MS_PRIVATE}, {"rprivate", MS_PRIVATE | MS_REC}, {"slave", MS_SLAVE}, {"rslave", MS_SLAVE | MS_REC},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].flag;
	return 0; // one that makes no difference here
}

int options_add_mount(const char *source, const char *target, const char *flags)
{
	if (strspn(source, "./") == 0 && strcmp(source, "tmpfs") != 0 && strcmp(source, "umount") != 0) {
		slurm_error("pyxis: mount source must be a relative path, an absolute path, \"tmpfs\" or \"umount\"");
		return -1;
	}
	if (strspn(target, "./") == 0) {
		slurm_error("pyxis: mount target must be a relative path or an absolute path");
		return -1;
	}
	for (size_t i = 0; i < given.mount_count; i++) // Slurm calls twice with one value
		if (strcmp(given.mounts[i].source, source) == 0 && strcmp(given.mounts[i].target, target) == 0)
			return 0;
	if (given.mount_count == MOST)
		return -1;
	struct mount *m = &given.mounts[given.mount_count++];
	*m = (struct mount){.source = strdup(source), .target = strdup(target)};
	char *rest = flags ? strdup(flags) : NULL;
	for (char *flag; (flag = strsep(&rest, "+")) != NULL;)
		m->flags |= mount_flag(flag);
	return 0;
}

// take_mount reads SRC[:DST[:FLAGS]].
static int take_mount(const char *entry)
{
	char *flags = strdup(entry), *source = strsep(&flags, ":"), *target = flags ? strsep(&flags, ":") : source;
	if (*source == '\0' || *target == '\0') {
		slurm_error("pyxis: --container-mounts: invalid format: %s", entry);
		return -1;
	}
	if (options_add_mount(source, target, flags && *flags ? flags : NULL) == 0)
		return 0;
	slurm_error("pyxis: could not add mount entry: %s:%s", source, target);
	return -1;
}

static int take_variable(const char *name)
{
	if (*name == '\0' || given.env_count == MOST) {
		slurm_error("pyxis: --container-env: invalid format: %s", name);
		return -1;
	}
	if (!options_exported(name))
		given.env[given.env_count++] = strdup(name);
	return 0;
}

// each calls take for every entry of a list.
static int each(const char *list, int (*take)(const char *))
{
	char *rest = strdup(list);
	for (char *entry; (entry = strsep(&rest, ",")) != NULL;)
		if (take(entry) != 0)
			return -1;
	return 0;
}

// take_name reads NAME[:MODE].
static int take_name(void)
{
	char *mode = given.name, *name = strsep(&mode, ":");
	if (*name == '\0') {
		slurm_error("pyxis: --container-name: empty name");
		return -1;
	}
	given.mode = mode && *mode ? mode : "auto";
	for (const char **m = (const char *[]){"auto", "create", "exec", "no_exec", NULL}; *m; m++)
		if (strcmp(*m, given.mode) == 0)
			return 0;
	slurm_error("pyxis: --container-name: flag must be \"auto\", \"create\", \"exec\" or \"no_exec\"");
	return -1;
}

static int check_save(void)
{
	if (given.save[strlen(given.save) - 1] != '/')
		return 0;
	slurm_error("pyxis: --container-save: target is a directory");
	return -1;
}

enum text { IMAGE, WORKDIR, NAME, SAVE, MOUNTS, ENV };

static struct {
	const char *name;
	char **value;
	char *said;
	int (*check)(void);
} texts[] = {
	[IMAGE] = {.name = "image", .value = &given.image},
	[WORKDIR] = {.name = "workdir", .value = &given.workdir},
	[NAME] = {.name = "name", .value = &given.name, .check = take_name},
	[SAVE] = {.name = "save", .value = &given.save, .check = check_save},
	[MOUNTS] = {.name = "mounts"},
	[ENV] = {.name = "env"},
};

static int take_text(int which, const char *arg, int remote)
{
	(void)remote;
	const char *name = texts[which].name;
	if (arg == NULL || *arg == '\0') {
		slurm_error("pyxis: --container-%s: argument required", name);
		return -1;
	}
	if (which == MOUNTS || which == ENV) // lists grow
		return each(arg, which == MOUNTS ? take_mount : take_variable);
	if (texts[which].said != NULL && strcmp(texts[which].said, arg) == 0)
		return 0; // Slurm calls twice with one value
	if (texts[which].said != NULL) {
		slurm_error("pyxis: --container-%s specified multiple times", name);
		return -1;
	}
	texts[which].said = strdup(arg);
	*texts[which].value = strdup(arg);
	return texts[which].check ? texts[which].check() : 0;
}

enum flag { MOUNT_HOME, REMAP_ROOT, ENTRYPOINT, ENTRYPOINT_LOG, WRITABLE };

static const struct {
	int *value;
	const char *yes, *no;
} flags[] = {
	[MOUNT_HOME] = {&given.mount_home, "--container-mount-home", "--no-container-mount-home"},
	[REMAP_ROOT] = {&given.remap_root, "--container-remap-root", "--no-container-remap-root"},
	[ENTRYPOINT] = {&given.entrypoint, "--container-entrypoint", "--no-container-entrypoint"},
	[ENTRYPOINT_LOG] = {&given.entrypoint_log, "--container-entrypoint-log", ""},
	[WRITABLE] = {&given.writable, "--container-writable", "--container-readonly"},
};

#define YES(flag) ((flag) * 2 + 1)
#define NO(flag) ((flag) * 2)

static int take_flag(int which, const char *arg, int remote)
{
	(void)arg;
	(void)remote;
	int *value = flags[which / 2].value;
	if (*value != -1 && *value != which % 2) {
		slurm_error("pyxis: both %s and %s were specified", flags[which / 2].yes, flags[which / 2].no);
		return -1;
	}
	*value = which % 2;
	return 0;
}

static void say_ignored(const char *option)
{
	slurm_error("pyxis: ignoring %s because neither --container-image nor --container-name is set", option);
}

void options_say_ignored(void)
{
	static const char *const names[] = {
		"--[no-]container-mount-home", "--[no-]container-remap-root", "--[no-]container-entrypoint",
		"--container-entrypoint-log",
	};
	if (given.mount_count > 0)
		say_ignored("--container-mounts");
	if (given.workdir)
		say_ignored("--container-workdir");
	if (given.save)
		say_ignored("--container-save");
	for (size_t i = MOUNT_HOME; i < WRITABLE; i++)
		if (*flags[i].value != -1)
			say_ignored(names[i]);
	if (given.writable != -1)
		say_ignored(given.writable ? flags[WRITABLE].yes : flags[WRITABLE].no);
}

static struct spank_option options[] = {
	{"container-image", "[USER@][REGISTRY#]IMAGE[:TAG]|PATH", "[pyxis] the image, of a registry or a file", 1, IMAGE,
		take_text},
	{"container-mounts", "SRC:DST[:FLAGS][,SRC:DST...]", "[pyxis] what of the host is seen", 1, MOUNTS, take_text},
	{"container-workdir", "PATH", "[pyxis] working directory", 1, WORKDIR, take_text},
	{"container-name", "NAME", "[pyxis] the container is kept by this name", 1, NAME, take_text},
	{"container-save", "PATH", "[pyxis] the container is saved as a file", 1, SAVE, take_text},
	{"container-env", "NAME[,NAME...]", "[pyxis] variables whose host value wins over the image's", 1, ENV, take_text},
	{"container-mount-home", NULL, "[pyxis] mount the home folder", 0, YES(MOUNT_HOME), take_flag},
	{"no-container-mount-home", NULL, "[pyxis] do not", 0, NO(MOUNT_HOME), take_flag},
	{"container-remap-root", NULL, "[pyxis] be root inside", 0, YES(REMAP_ROOT), take_flag},
	{"no-container-remap-root", NULL, "[pyxis] do not", 0, NO(REMAP_ROOT), take_flag},
	{"container-entrypoint", NULL, "[pyxis] run the image's entrypoint", 0, YES(ENTRYPOINT), take_flag},
	{"no-container-entrypoint", NULL, "[pyxis] do not", 0, NO(ENTRYPOINT), take_flag},
	{"container-entrypoint-log", NULL, "[pyxis] print what it prints", 0, YES(ENTRYPOINT_LOG), take_flag},
	{"container-writable", NULL, "[pyxis] make the root writable", 0, YES(WRITABLE), take_flag},
	{"container-readonly", NULL, "[pyxis] make it read-only", 0, NO(WRITABLE), take_flag},
	SPANK_OPTIONS_TABLE_END,
};

int options_register(spank_t sp)
{
	for (struct spank_option *o = options; o->name != NULL; o++)
		if (spank_option_register(sp, o) != ESPANK_SUCCESS) {
			slurm_error("pyxis: couldn't register option %s", o->name);
			return -1;
		}
	return 0;
}
