#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/vec.h"
#include "target/proc.h"
#include "target/target.h"

static bool is_named(pid_t pid, const char *name)
{
	static const char deleted[] = " (deleted)";
	const size_t tail = sizeof(deleted) - 1;
	struct hp_proc_stat stat;
	char link[64], exe[PATH_MAX];
	ssize_t len;

	if (hp_proc_read_stat(pid, 0, &stat) < 0 || stat.state == 'Z')
		return false;
	if (strcmp(stat.comm, name) == 0)
		return true;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	len = readlink(link, exe, sizeof(exe) - 1);
	if (len < 0)
		return false;
	exe[len] = '\0';
	/* After an upgrade the old program runs on without its file. */
	if ((size_t)len > tail && strcmp(exe + len - tail, deleted) == 0)
		exe[(size_t)len - tail] = '\0';
	return strcmp(strrchr(exe, '/') ? strrchr(exe, '/') + 1 : exe, name) == 0;
}

/* "812 (redis-server *:6379)": what tells two processes of one name apart. */
static void describe(pid_t pid, char *buf, size_t size)
{
	HP_AUTO_FREE char *text = NULL;
	char path[64];
	size_t len = 0;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	if (hp_proc_read_file(path, 65536, &text, &len) < 0)
		len = 0;
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	snprintf(buf, size, "%d (%.40s)", pid, len ? text : "?");
}

static int list_matches(const char *name, const pid_t *pids, size_t n, struct hp_err *err)
{
	char list[200] = "", one[64];

	for (size_t i = 0; i < n; i++) {
		describe(pids[i], one, sizeof(one));
		if (strlen(list) + strlen(one) + 8 > sizeof(list)) {
			strcat(list, ", ...");
			break;
		}
		strcat(list, i ? ", " : "");
		strcat(list, one);
	}
	return hp_err_set(err, -EEXIST, "%zu processes are named %s: %s; choose one with --pid", n,
			  name, list);
}

int hp_target_find(const char *name, pid_t *ret_pid, struct hp_err *err)
{
	HP_VEC(pid_t) pids = {0};
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!proc)
		return hp_err_set(err, -errno, "cannot read /proc: %s", hp_err_name(-errno));
	while (r == 0 && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != getpid() && is_named(pid, name))
			r = hp_vec_push(&pids, pid);
	}
	closedir(proc);
	if (r == 0 && pids.len == 0)
		r = hp_err_set(err, -ESRCH, "no process is named %.60s: see 'ps -e'", name);
	else if (r == 0 && pids.len > 1)
		r = list_matches(name, pids.data, pids.len, err);
	else if (r == 0)
		*ret_pid = pids.data[0];
	hp_vec_free(&pids);
	return r;
}
