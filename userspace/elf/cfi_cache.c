#include "elf/cfi_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/cfi_index.h"
#include "elf/index.h"

#define SUFFIX    ".cfi"
#define MIN_ID    8       /* digits; shorter ones tell too little */
#define MAX_FILES 100000u /* in the directory that are looked at */

typedef char file_name[HP_BUILD_ID_MAX + sizeof(SUFFIX) + 24];

static bool name_of(const char *build_id, file_name name)
{
	size_t len = strlen(build_id);

	if (len < MIN_ID || len >= HP_BUILD_ID_MAX || strspn(build_id, "0123456789abcdef") != len)
		return false;
	snprintf(name, sizeof(file_name), "%s" SUFFIX, build_id);
	return true;
}

/* The directory, or negative errno. */
static int open_directory(const char *directory, bool make)
{
	HP_AUTO_FD int fd = -1;
	struct stat stat;

	if (make && mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) < 0 || stat.st_uid != geteuid() || stat.st_mode & 077)
		return -EPERM;
	return HP_TAKE_FD(fd);
}

static int read_file(int fd, void **ret_data, size_t *ret_size)
{
	HP_AUTO_FREE uint8_t *data = NULL;
	struct stat stat;
	size_t done = 0, size;

	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_uid != geteuid() ||
	    (uint64_t)stat.st_size > HP_CFI_INDEX_MAX)
		return -ENOENT;
	size = (size_t)stat.st_size;
	data = malloc(size + 1);
	if (!data)
		return -ENOMEM;
	while (done < size) {
		ssize_t got = TEMP_FAILURE_RETRY(read(fd, data + done, size - done));

		if (got <= 0)
			return -ENOENT;
		done += (size_t)got;
	}
	*ret_data = HP_TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

int hp_cfi_cache_get(const char *directory, const char *build_id, uint64_t file_size,
		     struct hp_cfi *ret_cfi)
{
	HP_AUTO_FD int dir_fd = -1;
	HP_AUTO_FD int fd = -1;
	HP_AUTO_FREE void *data = NULL;
	file_name name;
	size_t size;
	int r;

	if (!name_of(build_id, name))
		return -EINVAL;
	dir_fd = open_directory(directory, false);
	if (dir_fd >= 0)
		fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	r = read_file(fd, &data, &size);
	if (r == 0)
		r = hp_cfi_index_read(data, size, file_size, ret_cfi);
	if (r == 0)
		futimens(fd, NULL); /* used just now: stays longer */
	return r == 0 || r == -ENOMEM ? r : -ENOENT;
}

struct usage {
	uint64_t bytes;
	file_name oldest; /* "" = there is no file */
	struct timespec time;
};

static bool is_older(const struct timespec *left, const struct timespec *right)
{
	return left->tv_sec != right->tv_sec ? left->tv_sec < right->tv_sec
					     : left->tv_nsec < right->tv_nsec;
}

/* Ours are all files there, unfinished ones of writers that were killed included. */
static int look(int dir_fd, struct usage *usage)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat stat;

	memset(usage, 0, sizeof(*usage));
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -ENOENT;
	}
	for (unsigned i = 0; i < MAX_FILES && (entry = readdir(dir)); i++) {
		if (strlen(entry->d_name) >= sizeof(file_name) ||
		    fstatat(dir_fd, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(stat.st_mode))
			continue;
		usage->bytes += (uint64_t)stat.st_size;
		if (!usage->oldest[0] || is_older(&stat.st_mtim, &usage->time)) {
			strcpy(usage->oldest, entry->d_name);
			usage->time = stat.st_mtim;
		}
	}
	closedir(dir);
	return 0;
}

static int make_room(int dir_fd, uint64_t max, uint64_t need)
{
	struct usage usage;
	int r;

	if (need > max)
		return -E2BIG;
	while ((r = look(dir_fd, &usage)) == 0 && usage.oldest[0] && usage.bytes > max - need) {
		if (unlinkat(dir_fd, usage.oldest, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return r;
}

static int write_file(int dir_fd, const char *name, const void *data, size_t size)
{
	HP_AUTO_FD int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < size) {
		ssize_t put =
			TEMP_FAILURE_RETRY(write(fd, (const uint8_t *)data + done, size - done));

		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		done += (size_t)put;
	}
	return 0;
}

int hp_cfi_cache_put(const char *directory, const char *build_id, uint64_t max, const void *data,
		     size_t size)
{
	HP_AUTO_FD int dir_fd = -1;
	file_name name, unfinished;
	int r;

	if (!name_of(build_id, name))
		return -EINVAL;
	dir_fd = open_directory(directory, true);
	if (dir_fd < 0)
		return dir_fd;
	r = make_room(dir_fd, max, size);
	if (r < 0)
		return r;
	/* Not the name of another process or thread; one that a killed writer left is as good as none. */
	snprintf(unfinished, sizeof(unfinished), "%s.%d", build_id, (int)gettid());
	unlinkat(dir_fd, unfinished, 0);
	r = write_file(dir_fd, unfinished, data, size);
	if (r == 0 && renameat(dir_fd, unfinished, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir_fd, unfinished, 0);
	return r;
}
