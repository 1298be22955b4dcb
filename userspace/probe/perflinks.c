#include "probe/perflinks.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/vec.h"
#include "hotpathd/abi/functions.h"
#include "probe/attach.h"
#include "probe/pages.h"
#include "probe/perfsys.h"
#include "probe/plan.h"

#define CLOSERS 32

struct hp_perf_links {
	HP_VEC(int) fds;
};

static int add(struct hp_perf_links *links, int prog_fd, const struct hp_perf_uprobe *probe)
{
	HP_AUTO_FD int fd = hp_perfsys_link(prog_fd, probe);
	int r;

	if (fd < 0)
		return fd;
	r = hp_vec_push(&links->fds, fd);
	if (r == 0)
		(void)HP_TAKE_FD(fd);
	return r;
}

/* What sees the end before the entry: an end without an entry is ignored. */
static int add_function(struct hp_perf_links *links, const struct hp_attach_programs *all,
			const struct hp_plan *plan, const struct hp_plan_function *function,
			int pid, uint32_t generation)
{
	const uint64_t *exits = plan->exits.data + function->first_exit;
	struct hp_perf_uprobe probe = {
		.path = plan->images.data[function->image].path,
		.offset = function->offset,
		.cookie = HP_COOKIE(function->entity, generation),
		.tid = pid,
	};
	const uint64_t at_entry = function->checks_stack ? HP_COOKIE_CHECKS_STACK : 0;
	const struct hp_attach_programs chosen = hp_attach_programs_of(all, function->shows_values);
	const struct hp_attach_programs *programs = &chosen;
	int entry_fd = programs->entry_fd, exit_fd = programs->exit_fd, r = 0;

	switch ((enum hp_plan_mode)function->mode) {
	case HP_MODE_COUNT:
		entry_fd = programs->count_fd;
		break;
	case HP_MODE_GO:
		entry_fd = programs->go_entry_fd;
		exit_fd = programs->go_exit_fd;
		/* fallthrough */
	case HP_MODE_EXITS:
		hp_pages_cache(probe.path, exits, function->nexits);
		for (uint32_t i = 0; i < function->nexits && r == 0; i++) {
			probe.offset = exits[i];
			r = add(links, exit_fd, &probe);
		}
		break;
	case HP_MODE_RETURN:
		entry_fd = programs->paired_fd;
		probe.ret = true;
		r = add(links, programs->return_fd, &probe);
		break;
	}
	if (r < 0)
		return r;
	probe.ret = false;
	probe.offset = function->offset;
	probe.cookie |= at_entry;
	return add(links, entry_fd, &probe);
}

static void close_from(struct hp_perf_links *links, size_t from)
{
	for (size_t i = from; i < links->fds.len; i++)
		close(links->fds.data[i]);
	links->fds.len = from;
}

int hp_perf_links_open(const struct hp_attach_programs *programs, int pid, struct hp_plan *plan,
		       const struct hp_partition *partition, struct hp_perf_links **ret_links,
		       size_t *ret_refused)
{
	HP_AUTO(hp_perf_links) struct hp_perf_links *links = calloc(1, sizeof(*links));
	size_t refused = 0;
	int r = 0;

	if (!links)
		return -ENOMEM;
	for (size_t i = 0; i < partition->len && r == 0; i++) {
		struct hp_plan_function *function = &plan->functions.data[partition->indices[i]];
		size_t before = links->fds.len;

		r = add_function(links, programs, plan, function, pid, partition->generation);
		if (!hp_attach_is_refusal(r))
			continue;
		close_from(links, before);
		function->reason = "the kernel refuses a probe on one of its instructions";
		refused++;
		r = 0;
	}
	if (r < 0)
		return r;
	*ret_refused = refused;
	*ret_links = HP_TAKE_PTR(links);
	return 0;
}

/* All descriptors of several sets, taken one by one by whoever is free. */
struct queue {
	const int *fds;
	size_t len;
	atomic_size_t next;
};

static void *close_next(void *arg)
{
	struct queue *queue = arg;

	for (;;) {
		size_t i = atomic_fetch_add(&queue->next, 1);

		if (i >= queue->len)
			return NULL;
		close(queue->fds[i]);
	}
}

static void close_all(const int *fds, size_t n)
{
	struct queue queue = {.fds = fds, .len = n};
	pthread_t threads[CLOSERS];
	size_t nthreads = 0;

	while (nthreads < CLOSERS && nthreads + 1 < n &&
	       pthread_create(&threads[nthreads], NULL, close_next, &queue) == 0)
		nthreads++;
	close_next(&queue);
	while (nthreads)
		pthread_join(threads[--nthreads], NULL);
}

void hp_perf_links_free_all(struct hp_perf_links **sets, size_t n)
{
	HP_VEC(int) fds = {0};

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; sets[i] && k < sets[i]->fds.len; k++) {
			if (hp_vec_push(&fds, sets[i]->fds.data[k]) < 0)
				close(sets[i]->fds.data[k]); /* slow, but gone */
		}
		if (sets[i])
			hp_vec_free(&sets[i]->fds);
		free(sets[i]);
		sets[i] = NULL;
	}
	close_all(fds.data, fds.len);
	hp_vec_free(&fds);
}

void hp_perf_links_free(struct hp_perf_links *links)
{
	hp_perf_links_free_all(&links, 1);
}

static bool is_running(pid_t pid, pid_t tid)
{
	HP_AUTO_FILE FILE *file = NULL;
	char line[512], path[64];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return false;
	end = strrchr(line, ')'); /* after the name */
	return end && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

bool hp_perf_links_are_orphans(pid_t pid)
{
	char path[64];
	bool others = false;
	const struct dirent *entry;
	DIR *folder;

	if (is_running(pid, pid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	folder = opendir(path);
	while (folder && !others && (entry = readdir(folder))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		others = tid > 0 && is_running(pid, tid);
	}
	if (folder)
		closedir(folder);
	return others;
}
