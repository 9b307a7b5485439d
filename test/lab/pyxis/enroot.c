// What enroot does for pyxis: images become folders, folders become containers. Each of these runs in a process of its
// own, as enroot does, and what it prints is kept for those who want to know why it failed. Memory is never given back:
// a step is short.
#define _GNU_SOURCE
#include "enroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int log_fd = -1;

char *format(const char *text, ...)
{
	char *out = NULL;
	va_list args;
	va_start(args, text);
	if (vasprintf(&out, text, args) < 0)
		abort();
	va_end(args);
	return out;
}

void fail(const char *text, ...)
{
	va_list args;
	va_start(args, text);
	dprintf(STDERR_FILENO, "[ERROR] ");
	vdprintf(STDERR_FILENO, text, args);
	dprintf(STDERR_FILENO, "\n");
	_exit(EXIT_FAILURE);
}

const char *job_variable(const struct container *c, const char *name)
{
	size_t n = strlen(name);
	for (char **kv = c->environ; kv && *kv; kv++)
		if (strncmp(*kv, name, n) == 0 && (*kv)[n] == '=')
			return *kv + n + 1;
	return NULL;
}

// counted tells whether something has happened fewer times than planned, and counts it. One file a kind and job.
static int counted(const struct container *c, const char *kind, int times)
{
	int fd = open(format("%s/%s.%u", c->runtime, kind, c->job), O_RDWR | O_CREAT | O_CLOEXEC, 0600), n = 0;
	if (fd < 0 || flock(fd, LOCK_EX) != 0)
		return 0;
	char text[16] = {0};
	if (read(fd, text, sizeof text - 1) > 0)
		n = atoi(text);
	if (n < times && (lseek(fd, 0, SEEK_SET) != 0 || dprintf(fd, "%d\n", n + 1) < 0))
		n = times;
	close(fd);
	return n < times;
}

int planned(const struct container *c, const char *kind, int *number)
{
	const char *plan = job_variable(c, "PYXIS_STUB");
	char *rest = plan ? strdup(plan) : NULL, *wanted = format("%s=", kind);
	for (char *word; (word = strsep(&rest, " ")) != NULL;) {
		if (strncmp(word, wanted, strlen(wanted)) != 0)
			continue;
		char *value = word + strlen(wanted), *times = strchr(value, ':');
		if (number)
			*number = atoi(value);
		return counted(c, kind, atoi(times ? times + 1 : value));
	}
	return 0;
}

int enroot_make_folders(const struct container *c)
{
	char *folders[] = {format("%s", c->runtime), format("%s/data", c->runtime)};
	for (size_t i = 0; i < 2; i++)
		if (mkdir(folders[i], 0755) != 0 && errno != EEXIST) {
			slurm_error("pyxis: couldn't mkdir %s: %s", folders[i], strerror(errno));
			return -1;
		}
	return 0;
}

char *root_of(const struct container *c) { return format("%s/data/%s", c->runtime, c->name); }

pid_t spawn(void (*what)(const struct container *), const struct container *c)
{
	if (log_fd >= 0)
		close(log_fd);
	log_fd = memfd_create("enroot-log", MFD_CLOEXEC);
	pid_t pid = fork();
	if (pid < 0)
		slurm_error("pyxis: fork error: %s", strerror(errno));
	if (pid != 0)
		return pid;
	int null = open("/dev/null", O_RDWR);
	int out = log_fd > STDERR_FILENO ? log_fd : null;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
		close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
		_exit(EXIT_FAILURE);
	what(c);
	_exit(EXIT_SUCCESS);
}

static int run(void (*what)(const struct container *), const struct container *c)
{
	int status;
	pid_t pid = spawn(what, c);
	if (pid < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return -1;
	if (WIFSIGNALED(status))
		slurm_error("pyxis: child %d terminated with signal %d", pid, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		slurm_error("pyxis: child %d failed with error code: %d", pid, WEXITSTATUS(status));
	return status == 0 ? 0 : -1;
}

void enroot_print_log(void)
{
	if (log_fd < 0)
		return;
	FILE *log = lseek(log_fd, 0, SEEK_SET) == 0 ? fdopen(log_fd, "r") : NULL;
	log_fd = -1;
	if (log == NULL)
		return;
	slurm_error("pyxis: printing enroot log file:");
	char *line = NULL;
	for (size_t size = 0; getline(&line, &size, log) > 0;) {
		line[strcspn(line, "\n")] = '\0';
		slurm_error("pyxis:     %s", line);
	}
	fclose(log);
}

static void copy(const char *from, const char *to)
{
	char buf[4096];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		fail("Could not copy %s to %s: %s", from, to, strerror(errno));
	for (ssize_t n; (n = read(in, buf, sizeof buf)) > 0;)
		if (write(out, buf, (size_t)n) != n)
			fail("Could not write %s: %s", to, strerror(errno));
	close(in);
	close(out);
}

static const char *status_name(int code)
{
	switch (code) {
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Time-out";
	}
	return "";
}

// import reads [USER@][REGISTRY#]IMAGE[:TAG], or the same with a slash behind a registry's name.
static void import(const struct container *c)
{
	char *image = strdup(given.image), *at = strchr(image, '@'), *registry = "registry.example", *tag = "latest";
	if (at)
		image = at + 1;
	char *end = strchr(image, '#');
	if (end == NULL && (end = strchr(image, '/')) != NULL && strcspn(image, ".:") > (size_t)(end - image))
		end = NULL; // no registry, but a name space
	if (end) {
		*end = '\0';
		registry = image;
		image = end + 1;
	}
	if ((end = strrchr(image, ':')) != NULL) {
		*end = '\0';
		tag = end + 1;
	}
	char *url = format("https://%s/v2/%s/manifests/%s", registry, image, tag);
	for (char *slash; (slash = strchr(image, '/')) != NULL;)
		*slash = '+';
	char *file = format("%s/%s+%s.sqsh", c->registry, image, tag);
	int code;
	if (!planned(c, "import", &code))
		code = access(file, R_OK) == 0 ? 0 : 404;
	dprintf(STDERR_FILENO, "[INFO] Querying registry for permission grant\n");
	dprintf(STDERR_FILENO, "[INFO] Authenticating with user: <anonymous>\n");
	if (code != 0)
		fail("URL %s returned error code: %d %s", url, code, status_name(code));
	dprintf(STDERR_FILENO, "[INFO] Fetching image manifest\n");
	copy(file, c->squashfs);
}

int enroot_import(const struct container *c) { return run(import, c); }

static void create(const struct container *c)
{
	char first[16] = {0}, *image = realpath(c->squashfs, NULL), *root = root_of(c);
	FILE *f = image ? fopen(image, "re") : NULL;
	if (f == NULL)
		fail("No such file or directory: %s", c->squashfs);
	if (fgets(first, sizeof first, f) == NULL || strcmp(first, "#image\n") != 0)
		fail("Invalid image format: %s", image);
	if (mkdir(root, 0755) != 0)
		fail("File already exists: %s", root);
	dprintf(STDERR_FILENO, "[INFO] Extracting squashfs filesystem...\n");
	int seconds;
	if (planned(c, "unpack", &seconds))
		sleep((unsigned)seconds);
	copy(image, format("%s/" IMAGE_FILE, root));
}

int enroot_create(const struct container *c) { return run(create, c); }

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s;
	(void)type;
	(void)at;
	return remove(path);
}

// What is mounted in a container is seen in it alone, and never by the one who removes it.
int enroot_remove(const struct container *c)
{
	return nftw(root_of(c), remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static const char *export_path;

static void export(const struct container *c) { copy(format("%s/" IMAGE_FILE, root_of(c)), export_path); }

int enroot_export(const struct container *c, const char *path)
{
	export_path = path;
	return run(export, c);
}

// Of several processes the first is that of the namespace with the lowest number, as in what lsns prints. It need not be
// the one of those that began first, nor have what they have mounted.
pid_t enroot_list(const struct container *c)
{
	struct stat lock, other, ns;
	if (stat(root_of(c), &lock) != 0)
		return -1;
	DIR *proc = opendir("/proc");
	if (proc == NULL || stat(format("%s/" LOCK_FILE, root_of(c)), &lock) != 0)
		return 0;
	pid_t first = 0;
	ino_t lowest = 0;
	for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
		char root[64], mnt[64];
		pid_t pid = atoi(entry->d_name);
		snprintf(root, sizeof root, "/proc/%d/root/" LOCK_FILE, pid);
		snprintf(mnt, sizeof mnt, "/proc/%d/ns/mnt", pid);
		if (pid <= 0 || stat(root, &other) != 0 || stat(mnt, &ns) != 0)
			continue;
		if (other.st_dev != lock.st_dev || other.st_ino != lock.st_ino)
			continue;
		if (first == 0 || ns.st_ino < lowest || (ns.st_ino == lowest && pid < first)) {
			first = pid;
			lowest = ns.st_ino;
		}
	}
	closedir(proc);
	return first;
}
