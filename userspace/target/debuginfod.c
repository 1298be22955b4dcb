#include "target/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"

#define LIBRARY   "libdebuginfod.so.1"
#define MAX_ASKED 128
/* Checked here: told in DEBUGINFOD_MAXSIZE, the library prints that to file descriptor -1, and glibc leaks 8 KiB. */
#define MAX_BYTES   (512ll << 20)
#define FILE_NS     30000000000ull
#define WAIT_NS     700000000ull
#define END_NS      3000000000ull
#define MAX_UNHEARD 2  /* files in a row that nobody answered for */
#define MAX_ID      64 /* hex digits; a SHA-1 has 40 */
#define MIN_ID      8

/* The part of the library's interface that we use (elfutils/debuginfod.h, since 0.178). */
struct client;
struct library {
	struct client *(*begin)(void);
	void (*end)(struct client *client);
	int (*find)(struct client *client, const unsigned char *build_id, int len, char **ret_path);
	void (*set_progress)(struct client *client, int (*fn)(struct client *, long, long));
};

#define ASKED 1 /* and no answer yet */

struct asked {
	char build_id[MAX_ID + 1];
	char *path;
	int result; /* 0 = came, ASKED, or negative errno */
	bool late;  /* somebody went on without it */
};

struct hp_debuginfod {
	pthread_mutex_t lock; /* held briefly */
	pthread_cond_t changed;
	pthread_t thread;
	bool started, unusable;
	HP_VEC(struct asked) asked;
	uint64_t wait_until_ns; /* 0: nobody has asked */
	/* The thread's own. */
	struct library library;
	uint64_t file_until_ns;
	bool unheard; /* the time was over */
	unsigned unheard_files;
	atomic_bool stopping;
	atomic_uint came;
};

int hp_debuginfod_new(struct hp_debuginfod **ret_debuginfod)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct hp_debuginfod *debuginfod;
	pthread_condattr_t attr;

	if (!urls || !*urls) {
		*ret_debuginfod = NULL;
		return 0;
	}
	debuginfod = calloc(1, sizeof(*debuginfod));
	if (!debuginfod)
		return -ENOMEM;
	pthread_mutex_init(&debuginfod->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&debuginfod->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret_debuginfod = debuginfod;
	return 0;
}

static struct timespec at(uint64_t ns)
{
	return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

void hp_debuginfod_free(struct hp_debuginfod *debuginfod)
{
	struct timespec end = at(hp_clock_mono_ns() + END_NS);

	if (!debuginfod)
		return;
	atomic_store(&debuginfod->stopping, true);
	pthread_mutex_lock(&debuginfod->lock);
	pthread_cond_broadcast(&debuginfod->changed);
	pthread_mutex_unlock(&debuginfod->lock);
	/* The library may be waiting for a name server; what the thread uses then stays as long as it. */
	if (debuginfod->started &&
	    pthread_clockjoin_np(debuginfod->thread, NULL, CLOCK_MONOTONIC, &end) != 0) {
		pthread_detach(debuginfod->thread);
		return;
	}
	hp_vec_each(asked, &debuginfod->asked)
		free(asked->path);
	hp_vec_free(&debuginfod->asked);
	pthread_cond_destroy(&debuginfod->changed);
	pthread_mutex_destroy(&debuginfod->lock);
	free(debuginfod);
}

/* Never closed: libcurl and what it loads leave handlers behind. */
static bool load_library(struct library *library)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return false;
	*(void **)&library->begin = dlsym(handle, "debuginfod_begin");
	*(void **)&library->end = dlsym(handle, "debuginfod_end");
	*(void **)&library->find = dlsym(handle, "debuginfod_find_debuginfo");
	*(void **)&library->set_progress = dlsym(handle, "debuginfod_set_progressfn");
	return library->begin && library->end && library->find && library->set_progress;
}

/* The library hands its own handle to progress(), and nothing of ours before 0.179. */
static _Thread_local struct hp_debuginfod *mine;

/* The library asks several times a second: nonzero ends the transfer. @total 0: unknown. */
static int progress(struct client *client, long done, long total)
{
	struct hp_debuginfod *debuginfod = mine;

	if (hp_clock_mono_ns() > debuginfod->file_until_ns)
		debuginfod->unheard = true;
	return atomic_load(&debuginfod->stopping) || debuginfod->unheard || total > MAX_BYTES ||
	       done > MAX_BYTES;
}

/* Too large, empty or no file at all: as if it had not come. */
static int check_file(const char *path)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	return st.st_size > MAX_BYTES ? -EFBIG : 0;
}

/* Blocks. 0 and *@ret_path (malloc), or negative errno. */
static int fetch(struct hp_debuginfod *debuginfod, const char *build_id, char **ret_path)
{
	const struct library *library = &debuginfod->library;
	HP_AUTO_FREE char *path = NULL;
	struct client *client;
	int fd, r;

	if (debuginfod->unheard_files >= MAX_UNHEARD)
		return -ETIMEDOUT;
	client = library->begin();
	if (!client)
		return -ENOMEM;
	debuginfod->file_until_ns = hp_clock_mono_ns() + FILE_NS;
	debuginfod->unheard = false;
	library->set_progress(client, progress);
	/* Length 0: the id is text. */
	fd = library->find(client, (const unsigned char *)build_id, 0, &path);
	library->end(client);
	if (fd >= 0)
		close(fd);
	if (fd == -ETIME || fd == -ETIMEDOUT || fd == -ECONNREFUSED || fd == -EHOSTUNREACH)
		debuginfod->unheard = true;
	debuginfod->unheard_files = debuginfod->unheard ? debuginfod->unheard_files + 1 : 0;
	if (fd < 0)
		return debuginfod->unheard ? -ETIMEDOUT : fd;
	r = path ? check_file(path) : -ENOENT;
	if (r == 0)
		*ret_path = HP_TAKE_PTR(path);
	return r;
}

/* The next one to ask for, or NULL. Locked. */
static struct asked *next(struct hp_debuginfod *debuginfod)
{
	hp_vec_each(asked, &debuginfod->asked) {
		if (asked->result == ASKED)
			return asked;
	}
	return NULL;
}

static void *main_loop(void *arg)
{
	struct hp_debuginfod *debuginfod = arg;
	bool usable = load_library(&debuginfod->library);

	mine = debuginfod;
	if (!usable)
		hp_log(HP_LOG_INFO, "symbols", "%s cannot be used", LIBRARY);
	pthread_mutex_lock(&debuginfod->lock);
	debuginfod->unusable = !usable;
	while (!atomic_load(&debuginfod->stopping)) {
		struct asked *asked = next(debuginfod);
		size_t i = asked ? (size_t)(asked - debuginfod->asked.data) : 0;
		char build_id[MAX_ID + 1];
		char *path = NULL;
		int r = -ENOSYS;

		if (!asked) {
			pthread_cond_wait(&debuginfod->changed, &debuginfod->lock);
			continue;
		}
		memcpy(build_id, asked->build_id, sizeof(build_id));
		pthread_mutex_unlock(&debuginfod->lock);
		if (usable)
			r = fetch(debuginfod, build_id, &path);
		if (r < 0)
			hp_log(HP_LOG_INFO, "symbols", "no debug file of %s: %s", build_id,
			       hp_err_name(r));
		pthread_mutex_lock(&debuginfod->lock);
		debuginfod->asked.data[i].result = r; /* the list may have moved */
		debuginfod->asked.data[i].path = path;
		if (r == 0)
			atomic_fetch_add(&debuginfod->came, 1);
		pthread_cond_broadcast(&debuginfod->changed);
	}
	pthread_mutex_unlock(&debuginfod->lock);
	return NULL;
}

/* It becomes part of a path and of an address: hexadecimal digits, and nothing else. */
static bool is_build_id(const char *text)
{
	size_t len = strspn(text, "0123456789abcdef");

	return !text[len] && len >= MIN_ID && len <= MAX_ID && len % 2 == 0;
}

/* Locked. */
static int ask(struct hp_debuginfod *debuginfod, const char *build_id, struct asked **ret_asked)
{
	struct asked fresh = {.result = ASKED};
	int r;

	hp_vec_each(asked, &debuginfod->asked) {
		if (strcmp(asked->build_id, build_id) == 0) {
			*ret_asked = asked;
			return 0;
		}
	}
	if (debuginfod->asked.len >= MAX_ASKED)
		return -ENOBUFS;
	if (!debuginfod->started) {
		r = -pthread_create(&debuginfod->thread, NULL, main_loop, debuginfod);
		if (r < 0)
			return r;
		debuginfod->started = true;
		debuginfod->wait_until_ns = hp_clock_mono_ns() + WAIT_NS;
	}
	snprintf(fresh.build_id, sizeof(fresh.build_id), "%s", build_id);
	r = hp_vec_push(&debuginfod->asked, fresh);
	if (r < 0)
		return r;
	pthread_cond_broadcast(&debuginfod->changed);
	*ret_asked = &debuginfod->asked.data[debuginfod->asked.len - 1];
	return 0;
}

/* Locked; the list may move while it waits. */
static int wait_for(struct hp_debuginfod *debuginfod, size_t i, char *path, size_t size)
{
	struct timespec until = at(debuginfod->wait_until_ns);

	while (debuginfod->asked.data[i].result == ASKED &&
	       pthread_cond_timedwait(&debuginfod->changed, &debuginfod->lock, &until) == 0)
		;
	if (debuginfod->asked.data[i].result == ASKED) {
		debuginfod->asked.data[i].late = true;
		return -EAGAIN;
	}
	if (debuginfod->asked.data[i].result == 0)
		snprintf(path, size, "%s", debuginfod->asked.data[i].path);
	return debuginfod->asked.data[i].result;
}

int hp_debuginfod_open(struct hp_debuginfod *debuginfod, const char *build_id, char *path,
		       size_t size)
{
	struct asked *asked;
	int fd, r;

	if (!is_build_id(build_id))
		return -EINVAL;
	pthread_mutex_lock(&debuginfod->lock);
	r = ask(debuginfod, build_id, &asked);
	if (r == 0)
		r = wait_for(debuginfod, (size_t)(asked - debuginfod->asked.data), path, size);
	pthread_mutex_unlock(&debuginfod->lock);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

unsigned hp_debuginfod_came(const struct hp_debuginfod *debuginfod)
{
	return debuginfod ? atomic_load(&debuginfod->came) : 0;
}

/* Appends; a text that is full stays as it is. */
static __attribute__((format(printf, 3, 4))) void add(char *buf, size_t size, const char *format,
						      ...)
{
	size_t len = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + len, size - len, format, args);
	va_end(args);
}

void hp_debuginfod_explain(struct hp_debuginfod *debuginfod, char *buf, size_t size)
{
	unsigned came = 0, late = 0, unknown = 0, coming = 0, n;

	*buf = '\0';
	if (!debuginfod)
		return;
	pthread_mutex_lock(&debuginfod->lock);
	n = (unsigned)debuginfod->asked.len;
	hp_vec_each(asked, &debuginfod->asked) {
		came += asked->result == 0;
		late += asked->result == 0 && asked->late;
		unknown += asked->result == -ENOENT;
		coming += asked->result == ASKED;
	}
	if (n && debuginfod->unusable) {
		snprintf(buf, size,
			 "DEBUGINFOD_URLS is set, but " LIBRARY
			 " cannot be used: no debug files are asked for");
	} else if (n) {
		snprintf(
			buf, size,
			"debug files of %u stripped modules were asked for (DEBUGINFOD_URLS): %u came, "
			"%u are not there, %u could not be had, %u are on their way",
			n, came, unknown, n - came - unknown - coming, coming);
		if (late)
			add(buf, size,
			    "; %u came late: functions are timed by those names from the next start "
			    "on",
			    late);
	}
	pthread_mutex_unlock(&debuginfod->lock);
}
