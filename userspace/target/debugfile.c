#include "target/debugfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/module.h"
#include "target/target.h"

static const char debug_dir[] = "/usr/lib/debug";

/* The places of one root. */
enum { BY_BUILD_ID, BESIDE, IN_SUBDIRECTORY, IN_DEBUG_DIRECTORY, NWAYS };

/* Length of the directory part of @path, without its last slash. */
static int dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (int)(slash - path) : 0;
}

/* The absolute path of one way to look; 0 or -ENOENT. */
static int make_path(const struct hp_image *image, const struct hp_module *module, unsigned way,
		     char path[PATH_MAX])
{
	const char *id = hp_module_build_id(module), *link = hp_module_debuglink(module);
	const int dir = dir_len(image->path);
	int len = PATH_MAX;

	if (way == BY_BUILD_ID ? strlen(id) < 4 : !*link)
		return -ENOENT;
	if (way == BY_BUILD_ID)
		len = snprintf(path, PATH_MAX, "%s/.build-id/%.2s/%s.debug", debug_dir, id, id + 2);
	else if (way == BESIDE)
		len = snprintf(path, PATH_MAX, "%.*s/%s", dir, image->path, link);
	else if (way == IN_SUBDIRECTORY)
		len = snprintf(path, PATH_MAX, "%.*s/.debug/%s", dir, image->path, link);
	else if (way == IN_DEBUG_DIRECTORY)
		len = snprintf(path, PATH_MAX, "%s%.*s/%s", debug_dir, dir, image->path, link);
	return len < PATH_MAX ? 0 : -ENOENT;
}

/* @path below @root, where all links are resolved, too. */
static int open_below(int root, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	HP_AUTO_FD int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	char link[64];
	struct stat st;
	int opened;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	opened = open(link, O_RDONLY | O_CLOEXEC);
	return opened < 0 ? -errno : opened;
}

static bool is_our_root(int root)
{
	struct stat theirs, ours;

	return fstat(root, &theirs) == 0 && stat("/", &ours) == 0 && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino;
}

/* The root in which place @i is looked for; *@ret_path = how people reach it. */
static int open_root(const struct hp_target *target, unsigned i, char ret_path[64])
{
	HP_AUTO_FD int fd = -1;
	bool ours;

	snprintf(ret_path, 64, "/proc/%d/root", hp_target_pid(target));
	fd = open(ret_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ours = fd >= 0 && is_our_root(fd);
	if (i < NWAYS && fd < 0)
		return -errno;
	if (i >= NWAYS && ours)
		return -ENOENT; /* once is enough */
	if (i >= NWAYS || ours)
		*ret_path = '\0';
	return i < NWAYS ? HP_TAKE_FD(fd) : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int hp_debugfile_open(const struct hp_target *target, const struct hp_image *image,
		      const struct hp_module *module, unsigned i, char *path, size_t size)
{
	char root[64], below[PATH_MAX];
	HP_AUTO_FD int root_fd = -1;
	int r = make_path(image, module, i % NWAYS, below);

	if (r < 0)
		return r;
	root_fd = open_root(target, i, root);
	if (root_fd < 0)
		return root_fd;
	snprintf(path, size, "%s%s", root, below);
	return open_below(root_fd, below);
}
