#include "target/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/vec.h"
#include "elf/module.h"
#include "target/proc.h"

#define PF_KTHREAD 0x00200000

struct images {
	HP_VEC(struct hp_image) list;
};

struct hp_target {
	pid_t pid;
	int pidfd;
	uint64_t start_ticks;
	char comm[64];
	char *exe;
	struct hp_maps *maps;
	struct images images;
};

static void images_free(struct images *images)
{
	hp_vec_each(image, &images->list)
		free(image->path);
	hp_vec_free(&images->list);
}

void hp_target_free(struct hp_target *target)
{
	if (!target)
		return;
	images_free(&target->images);
	hp_maps_free(target->maps);
	free(target->exe);
	if (target->pidfd >= 0)
		close(target->pidfd);
	free(target);
}

static int gone(pid_t pid, struct hp_err *err)
{
	return hp_err_set(err, -ESRCH, "process %d has just ended", pid);
}

/* Kernel threads, zombies and threads of another process are told apart for the user. */
static int check_kind(pid_t pid, struct hp_proc_stat *ret_stat, struct hp_err *err)
{
	struct hp_proc_status status;
	int r = hp_proc_read_stat(pid, 0, ret_stat);

	if (r == -ENOENT || r == -ESRCH)
		return hp_err_set(err, -ESRCH, "no process has pid %d: see 'ps -e', or use --name",
				  pid);
	if (r == 0)
		r = hp_proc_read_status(pid, &status);
	if (r < 0)
		return r == -ENOENT || r == -ESRCH ? gone(pid, err)
						   : hp_err_set(err, r, "cannot read /proc/%d: %s",
								pid, hp_err_name(r));
	if (ret_stat->flags & PF_KTHREAD)
		return hp_err_set(
			err, -ENOTSUP,
			"pid %d (%s) is a kernel thread: only user processes can be profiled", pid,
			ret_stat->comm);
	if (status.tgid != pid)
		return hp_err_set(err, -ESRCH, "%d is a thread of process %d: use --pid %d", pid,
				  status.tgid, status.tgid);
	if (ret_stat->state == 'Z' || ret_stat->state == 'X')
		return hp_err_set(
			err, -ESRCH,
			"process %d (%s) has ended and waits for its parent: nothing to see", pid,
			ret_stat->comm);
	return 0;
}

static int read_exe(struct hp_target *target, struct hp_err *err)
{
	unsigned char ident[EI_NIDENT] = {0};
	char link[64], path[PATH_MAX];
	HP_AUTO_FD int fd = -1;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/exe", target->pid);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0 && (errno == EACCES || errno == EPERM))
		return hp_err_set(err, -EPERM, "no privilege to look into process %d: run as root",
				  target->pid);
	if (len < 0)
		return gone(target->pid, err);
	path[len] = '\0';
	target->exe = strdup(path);
	if (!target->exe)
		return -ENOMEM;
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return hp_err_set(err, -EPERM,
				  "no privilege to read the program of process %d: run as root",
				  target->pid);
	if (fd < 0)
		return gone(target->pid, err);
	if (read(fd, ident, sizeof(ident)) == sizeof(ident) && ident[EI_CLASS] == ELFCLASS32)
		return hp_err_set(
			err, -ENOTSUP,
			"process %d (%s) is a 32-bit program: only 64-bit ones can be profiled",
			target->pid, target->comm);
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_known(const struct hp_target *target, const struct hp_mapping *mapping, uint64_t dev)
{
	hp_vec_each(image, &target->images.list) {
		if (image->inode == mapping->inode && image->dev == dev)
			return true;
	}
	return false;
}

static int add_image(struct hp_target *target, const struct hp_mapping *mapping)
{
	struct hp_image image = {
		.start = mapping->start,
		.end = mapping->end,
		.file_offset = mapping->offset,
		.deleted = mapping->deleted,
		.inode = mapping->inode,
		.dev = (uint64_t)mapping->dev_major << 32 | mapping->dev_minor,
	};
	size_t exe_len = strcspn(target->exe, "");
	int r;

	if (exe_len > 10 && strcmp(target->exe + exe_len - 10, " (deleted)") == 0)
		exe_len -= 10;
	image.path = strdup(mapping->path);
	if (!image.path)
		return -ENOMEM;
	image.name = base_name(image.path);
	image.is_exe =
		strlen(image.path) == exe_len && memcmp(image.path, target->exe, exe_len) == 0;
	r = hp_vec_push(&target->images.list, image);
	if (r < 0)
		free(image.path);
	return r;
}

static int exe_first(const void *a, const void *b)
{
	const struct hp_image *left = a, *right = b;

	if (left->is_exe != right->is_exe)
		return left->is_exe ? -1 : 1;
	return left->start < right->start ? -1 : left->start > right->start;
}

/* Executable mappings of files; inode 0 is anonymous, [vdso] and the like (trap:T2). */
static int list_images(struct hp_target *target)
{
	int r = 0;

	for (size_t i = 0; i < target->maps->len && r == 0; i++) {
		const struct hp_mapping *mapping = &target->maps->data[i];
		uint64_t dev = (uint64_t)mapping->dev_major << 32 | mapping->dev_minor;

		if (mapping->exec && mapping->inode && mapping->path[0] == '/' &&
		    !is_known(target, mapping, dev))
			r = add_image(target, mapping);
	}
	if (target->images.list.len)
		qsort(target->images.list.data, target->images.list.len, sizeof(struct hp_image),
		      exe_first);
	return r;
}

int hp_target_open(pid_t pid, struct hp_target **ret_target, struct hp_err *err)
{
	HP_AUTO(hp_target) struct hp_target *target = calloc(1, sizeof(*target));
	struct hp_proc_stat stat, again;
	int r;

	if (!target)
		return hp_err_set(err, -ENOMEM, "out of memory");
	target->pidfd = -1;
	target->pid = pid;
	r = check_kind(pid, &stat, err);
	if (r < 0)
		return r;
	target->start_ticks = stat.start_ticks;
	memcpy(target->comm, stat.comm, sizeof(target->comm));
	target->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (target->pidfd < 0)
		return errno == ESRCH ? gone(pid, err)
				      : hp_err_set(err, -errno, "cannot hold process %d: %s", pid,
						   hp_err_name(-errno));
	/* trap:U14: the pid may have changed hands between the look and the hold. */
	if (hp_proc_read_stat(pid, 0, &again) < 0 || again.start_ticks != stat.start_ticks)
		return gone(pid, err);
	r = read_exe(target, err);
	if (r < 0)
		return r;
	r = hp_target_refresh_maps(target);
	if (r < 0)
		return r == -ENOENT || r == -ESRCH
			       ? gone(pid, err)
			       : hp_err_set(err, r, "cannot read the mappings of %d: %s", pid,
					    hp_err_name(r));
	*ret_target = HP_TAKE_PTR(target);
	return 0;
}

static bool are_same(const struct images *a, const struct images *b)
{
	if (a->list.len != b->list.len)
		return false;
	for (size_t i = 0; i < a->list.len; i++) {
		const struct hp_image *left = &a->list.data[i], *right = &b->list.data[i];

		if (left->dev != right->dev || left->inode != right->inode ||
		    left->start != right->start)
			return false;
	}
	return true;
}

int hp_target_refresh_maps(struct hp_target *target)
{
	HP_CLEANUP(images_free) struct images before = {0};
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	int r = hp_maps_read(target->pid, &maps);

	if (r < 0)
		return r;
	if (maps->len == 0)
		return -ESRCH; /* a zombie has none */
	hp_maps_free(target->maps);
	target->maps = HP_TAKE_PTR(maps);
	before = target->images;
	target->images = (struct images){0};
	r = list_images(target);
	return r < 0 ? r : !are_same(&before, &target->images);
}

int hp_target_refresh_program(struct hp_target *target)
{
	HP_AUTO(hp_target) struct hp_target *now = NULL;
	char *exe = target->exe;
	int r = hp_target_open(target->pid, &now, NULL);

	if (r == 0 && now->start_ticks != target->start_ticks)
		r = -ESRCH;
	if (r < 0)
		return r;
	memcpy(target->comm, now->comm, sizeof(target->comm));
	target->exe = now->exe;
	now->exe = exe;
	return 0;
}

pid_t hp_target_pid(const struct hp_target *target)
{
	return target->pid;
}

int hp_target_pidfd(const struct hp_target *target)
{
	return target->pidfd;
}

bool hp_target_alive(const struct hp_target *target)
{
	struct pollfd poll_fd = {.fd = target->pidfd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 0;
}

const char *hp_target_comm(const struct hp_target *target)
{
	return target->comm;
}

const char *hp_target_exe(const struct hp_target *target)
{
	return target->exe;
}

uint64_t hp_target_start_ticks(const struct hp_target *target)
{
	return target->start_ticks;
}

const struct hp_image *hp_target_images(const struct hp_target *target, size_t *ret_len)
{
	*ret_len = target->images.list.len;
	return target->images.list.data;
}

const struct hp_maps *hp_target_maps(const struct hp_target *target)
{
	return target->maps;
}

/* trap:T1: the link of the mapping leads to the very inode, whatever mount or name it has by now. */
static bool map_files_path(const struct hp_target *target, const struct hp_image *image, char *buf,
			   size_t size)
{
	return (size_t)snprintf(buf, size, "/proc/%d/map_files/%llx-%llx", target->pid,
				(unsigned long long)image->start,
				(unsigned long long)image->end) < size;
}

int hp_target_image_path(const struct hp_target *target, const struct hp_image *image, char *buf,
			 size_t size)
{
	char path[PATH_MAX];

	if (map_files_path(target, image, buf, size) && access(buf, R_OK) == 0)
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "/proc/%d/root%s", target->pid, image->path) >=
	    size)
		return -ENAMETOOLONG;
	snprintf(buf, size, "%.*s", (int)size - 1, path);
	return access(buf, R_OK) == 0 ? 0 : -errno;
}

int hp_target_open_image(const struct hp_target *target, const struct hp_image *image)
{
	char path[PATH_MAX];
	int r = hp_target_image_path(target, image, path, sizeof(path));
	int fd = r < 0 ? r : open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 && r == 0 ? -errno : fd;
}

uint64_t hp_target_bias(const struct hp_image *image, const struct hp_module *module)
{
	uint64_t vaddr;

	/*
	 * trap:T4: by the segment that holds the mapping's file offset. The mapping starts at a page, the
	 * segment perhaps behind it, so the first byte of the segment in this mapping is looked up.
	 */
	for (size_t i = 0; i < hp_module_nsegments(module); i++) {
		const struct hp_segment *segment = hp_module_segment(module, i);
		uint64_t first =
			segment->offset > image->file_offset ? segment->offset : image->file_offset;

		if (first - image->file_offset >= image->end - image->start ||
		    !hp_module_vaddr(module, first, &vaddr))
			continue;
		return image->start + (first - image->file_offset) - vaddr;
	}
	return 0;
}
