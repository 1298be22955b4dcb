#include "domains/cpu/cpu_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"

#define ROOT "/run/hotpathd"

static void remove_session(int root, const char *name)
{
	static const char *const files[] = {"profile.json.gz", "profile.json.gz.new"};
	HP_AUTO_FD int dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return; /* a living daemon holds it */
	for (size_t i = 0; i < HP_ARRAY_SIZE(files); i++)
		unlinkat(dir, files[i], 0);
	unlinkat(root, name, AT_REMOVEDIR);
}

static void remove_stale(void)
{
	DIR *root = opendir(ROOT);
	struct dirent *entry;

	if (!root)
		return;
	while ((entry = readdir(root))) {
		if (entry->d_name[0] != '.')
			remove_session(dirfd(root), entry->d_name);
	}
	closedir(root);
}

void hp_cpu_session_open(pid_t pid, struct hp_cpu_session *ret_session)
{
	struct hp_cpu_session session = {.lock_fd = -1};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(session.id, sizeof(session.id), "%d-%lld", pid,
		 (long long)now.tv_sec * 1000000000 + now.tv_nsec);
	remove_stale();
	mkdir(ROOT, 0755);
	snprintf(session.dir, sizeof(session.dir), ROOT "/%s", session.id);
	if (mkdir(session.dir, 0755) < 0 ||
	    (session.lock_fd = open(session.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		hp_log(HP_LOG_INFO, "cpu", "no profile file: cannot make %s: %s", session.dir,
		       hp_err_name(-errno));
		session.dir[0] = '\0';
	} else {
		flock(session.lock_fd, LOCK_EX | LOCK_NB);
	}
	*ret_session = session;
}

void hp_cpu_session_close(struct hp_cpu_session *session)
{
	if (session->dir[0])
		rmdir(session->dir);
	if (session->lock_fd >= 0)
		close(session->lock_fd);
	session->lock_fd = -1;
}
