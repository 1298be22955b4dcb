#include "domains/timeline/timeline_probe.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "engine/core.h"
#include "hotpathd/abi/config.h"

/* The skeleton has members of the types above. */
#include "timeline.skel.h"

enum { LINK_SWITCH, LINK_WAKING, LINK_FORK, NLINKS };

struct hp_timeline_probe {
	pthread_mutex_t lock;
	struct hp_timeline_bpf *skel;
	struct bpf_link *links[NLINKS];
	struct bpf_link *list;
	unsigned users;
	bool stopped;
};

static int attach_list(struct hp_timeline_probe *probe, pid_t pid)
{
	union bpf_iter_link_info info = {.task.pid = (uint32_t)pid};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_program *program = probe->skel->progs.hp_timeline_list;

	probe->list = bpf_program__attach_iter(program, pid ? &opts : NULL);
	if (!probe->list) /* kernels that cannot bind it to a process: the program filters anyway */
		probe->list = bpf_program__attach_iter(program, NULL);
	return probe->list ? 0 : -errno;
}

int hp_timeline_probe_new(const struct hp_core *core, pid_t pid,
			  struct hp_timeline_probe **ret_probe)
{
	HP_AUTO(hp_timeline_probe) struct hp_timeline_probe *probe = calloc(1, sizeof(*probe));
	struct hp_config config = hp_core_config(core);
	int r;

	if (!probe)
		return -ENOMEM;
	pthread_mutex_init(&probe->lock, NULL);
	probe->skel = hp_timeline_bpf__open();
	if (!probe->skel)
		return -errno;
	r = hp_core_prepare(core, probe->skel->obj, &config);
	if (r == 0)
		r = hp_timeline_bpf__load(probe->skel);
	if (r == 0)
		r = attach_list(probe, pid);
	if (r < 0)
		return r;
	*ret_probe = HP_TAKE_PTR(probe);
	return 0;
}

static void close_links(struct hp_timeline_probe *probe)
{
	for (int i = 0; i < NLINKS; i++) {
		bpf_link__destroy(probe->links[i]);
		probe->links[i] = NULL;
	}
}

void hp_timeline_probe_free(struct hp_timeline_probe *probe)
{
	if (!probe)
		return;
	close_links(probe);
	bpf_link__destroy(probe->list);
	hp_timeline_bpf__destroy(probe->skel);
	pthread_mutex_destroy(&probe->lock);
	free(probe);
}

/* Forks first: a thread that starts before the first list is then either there or seen. What threads had of an earlier time is void. */
static int open_links(struct hp_timeline_probe *probe)
{
	struct bpf_program *const programs[NLINKS] = {
		[LINK_SWITCH] = probe->skel->progs.hp_timeline_switch,
		[LINK_WAKING] = probe->skel->progs.hp_timeline_waking,
		[LINK_FORK] = probe->skel->progs.hp_timeline_fork,
	};

	__atomic_add_fetch(&probe->skel->bss->hp_timeline_epoch, 1, __ATOMIC_SEQ_CST);
	for (int i = NLINKS - 1; i >= 0; i--) {
		probe->links[i] = bpf_program__attach(programs[i]);
		if (!probe->links[i]) {
			int r = -errno;

			close_links(probe);
			return r;
		}
	}
	return 0;
}

int hp_timeline_probe_attach(struct hp_timeline_probe *probe)
{
	int r = 0;

	pthread_mutex_lock(&probe->lock);
	if (probe->stopped)
		r = -ESHUTDOWN;
	else if (probe->users == 0)
		r = open_links(probe);
	probe->users += r == 0;
	pthread_mutex_unlock(&probe->lock);
	return r;
}

void hp_timeline_probe_detach(struct hp_timeline_probe *probe)
{
	pthread_mutex_lock(&probe->lock);
	if (--probe->users == 0)
		close_links(probe);
	pthread_mutex_unlock(&probe->lock);
}

void hp_timeline_probe_stop(struct hp_timeline_probe *probe)
{
	pthread_mutex_lock(&probe->lock);
	probe->stopped = true;
	close_links(probe);
	pthread_mutex_unlock(&probe->lock);
}

static int read_all(int fd, hp_timeline_threads *threads)
{
	struct hp_timeline_thread buf[32];
	size_t have = 0;

	for (;;) {
		ssize_t got = read(fd, (char *)buf + have, sizeof(buf) - have);
		size_t n;

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return have ? -EBADMSG : 0;
		have += (size_t)got;
		n = have / sizeof(buf[0]);
		for (size_t i = 0; i < n && threads->len < HP_TIMELINE_MAX_THREADS; i++) {
			int r = hp_vec_push(threads, buf[i]);

			if (r < 0)
				return r;
		}
		have -= n * sizeof(buf[0]);
		memmove(buf, buf + n, have);
	}
}

int hp_timeline_probe_list(struct hp_timeline_probe *probe, hp_timeline_threads *ret_threads)
{
	hp_timeline_threads threads = {0};
	HP_AUTO_FD int fd = -1;
	int r = -ESHUTDOWN;

	pthread_mutex_lock(&probe->lock);
	if (!probe->stopped) { /* when detached, what is in progress would be taken for what was last seen */
		fd = bpf_iter_create(bpf_link__fd(probe->list));
		r = fd < 0 ? fd : read_all(fd, &threads);
	}
	pthread_mutex_unlock(&probe->lock);
	if (r < 0) {
		hp_vec_free(&threads);
		return r;
	}
	*ret_threads = threads;
	return 0;
}

uint64_t hp_timeline_probe_kernel_bytes(const struct hp_timeline_probe *probe)
{
	return hp_core_object_bytes(probe->skel->obj);
}
