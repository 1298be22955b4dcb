#include "target/jit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "elf/demangle.h"
#include "target/perfmap.h"
#include "target/proc.h"
#include "target/target.h"

#define REFRESH_NS   1000000000ull
#define MAX_BYTES    (1ull << 30) /* of one file that are read */
#define MAX_DUMPS    4            /* a process has one, and may have inherited its parent's */
#define WINDOW       (1u << 20)
#define FILES_A_LOOK (64u << 20) /* bytes; the rest a second later */

#if HP_PERFMAP_WINDOW > WINDOW || HP_JITDUMP_WINDOW > WINDOW
#error "one buffer is for both"
#endif

/* A growing file and how far it was read. */
struct source {
	uint64_t dev, inode;
	uint64_t done; /* bytes */
	bool failed;   /* damaged or over a cap: what is known stays */
};

struct dump {
	struct source source;
	struct hp_jitdump *dump;
};

struct hp_jit {
	struct source map_source;
	struct hp_perfmap *map; /* NULL = there is none */
	uint64_t bad_lines;     /* of maps that were replaced */
	struct dump dumps[MAX_DUMPS];
	size_t ndumps;
	uint64_t looked_ns;
	char *window;
	char file[HP_NAME_MAX]; /* of the code found last */
};

int hp_jit_new(struct hp_jit **ret_jit)
{
	struct hp_jit *jit = calloc(1, sizeof(*jit));

	if (!jit)
		return -ENOMEM;
	*ret_jit = jit;
	return 0;
}

void hp_jit_free(struct hp_jit *jit)
{
	if (!jit)
		return;
	hp_perfmap_free(jit->map);
	for (size_t i = 0; i < jit->ndumps; i++)
		hp_jitdump_free(jit->dumps[i].dump);
	free(jit->window);
	free(jit);
}

/* When the target began, in seconds since 1970, rounded down. */
static int64_t start_time(const struct hp_target *target)
{
	struct timespec boot, real;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	return real.tv_sec - boot.tv_sec +
	       (int64_t)(hp_target_start_ticks(target) / (uint64_t)sysconf(_SC_CLK_TCK)) - 1;
}

static bool is_acceptable(const struct hp_target *target, const struct hp_proc_status *status,
			  const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_uid == status->fsuid || st->st_uid == 0) &&
	       st->st_mtim.tv_sec >= start_time(target);
}

/* File descriptor or negative errno. */
static int open_map(const struct hp_target *target)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	HP_AUTO_FD int root = -1, fd = -1;
	struct hp_proc_status status;
	char path[64];
	struct stat st;
	int r = hp_proc_read_status(hp_target_pid(target), &status);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/root", hp_target_pid(target));
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map",
		 status.nspid ? status.nspid : hp_target_pid(target));
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	/* trap:T3, and the others that hp_jit's description names. */
	if (fstat(fd, &st) < 0 || !is_acceptable(target, &status, &st))
		return -EPERM;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

/* Is @fd the file that @source was, and did it only grow? Else it is read from its beginning. */
static bool goes_on(struct source *source, int fd)
{
	struct stat st = {0};
	bool same;

	fstat(fd, &st);
	same = source->dev == st.st_dev && source->inode == st.st_ino &&
	       (uint64_t)st.st_size >= source->done;
	if (!same)
		*source = (struct source){.dev = st.st_dev, .inode = st.st_ino};
	return same;
}

static int take_map(void *arg, const char *data, size_t len, uint64_t *ret_taken)
{
	size_t taken = 0;
	int r = hp_perfmap_feed(arg, data, len, &taken);

	*ret_taken = taken;
	return r;
}

static int take_dump(void *arg, const char *data, size_t len, uint64_t *ret_taken)
{
	*ret_taken = 0;
	return hp_jitdump_feed(arg, data, len, ret_taken);
}

static void read_on(struct hp_jit *jit, struct source *source, int fd, const char *what,
		    int (*take)(void *, const char *, size_t, uint64_t *), void *arg)
{
	const uint64_t until = source->done + FILES_A_LOOK;
	int r = 0;

	while (!source->failed && source->done < until) {
		ssize_t len = pread(fd, jit->window, WINDOW, (off_t)source->done);
		uint64_t taken = 0;

		if (len <= 0)
			return;
		r = source->done > MAX_BYTES ? -E2BIG : take(arg, jit->window, (size_t)len, &taken);
		if (r < 0)
			break;
		if (taken == 0)
			return; /* the rest is still to be written */
		source->done += taken;
	}
	if (r < 0) {
		source->failed = true;
		hp_log(HP_LOG_INFO, "symbols", "the rest of %s is not used: %s", what,
		       hp_err_name(r));
	}
}

static void look_at_map(struct hp_jit *jit, const struct hp_target *target)
{
	HP_AUTO_FD int fd = open_map(target);

	if (fd < 0)
		return;
	if (!goes_on(&jit->map_source, fd) || !jit->map) {
		jit->bad_lines = hp_jit_bad_lines(jit);
		hp_perfmap_free(jit->map);
		jit->map = NULL;
		if (hp_perfmap_new(&jit->map) < 0)
			return;
	}
	read_on(jit, &jit->map_source, fd, "/tmp/perf-PID.map", take_map, jit->map);
}

/* "jit-1234.dump" */
static bool is_dump(const char *name)
{
	size_t digits = strncmp(name, "jit-", 4) == 0 ? strspn(name + 4, "0123456789") : 0;

	return digits && strcmp(name + 4 + digits, ".dump") == 0;
}

static struct dump *dump_of(struct hp_jit *jit, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	for (size_t i = 0; i < jit->ndumps; i++) {
		if (jit->dumps[i].source.dev == st.st_dev &&
		    jit->dumps[i].source.inode == st.st_ino)
			return &jit->dumps[i];
	}
	if (jit->ndumps == MAX_DUMPS)
		return NULL;
	jit->dumps[jit->ndumps] = (struct dump){.source = {st.st_dev, st.st_ino, 0, false}};
	return &jit->dumps[jit->ndumps++];
}

static void look_at_dump(struct hp_jit *jit, const struct hp_target *target,
			 const struct hp_image *image)
{
	HP_AUTO_FD int fd = hp_target_open_image(target, image);
	struct dump *dump = fd < 0 ? NULL : dump_of(jit, fd);

	if (!dump)
		return;
	if (!goes_on(&dump->source, fd) || !dump->dump) {
		hp_jitdump_free(dump->dump);
		dump->dump = NULL;
		if (hp_jitdump_new(&dump->dump) < 0)
			return;
	}
	read_on(jit, &dump->source, fd, image->name, take_dump, dump->dump);
}

static void look(struct hp_jit *jit, const struct hp_target *target)
{
	size_t n;
	const struct hp_image *images = hp_target_images(target, &n);
	uint64_t now = hp_clock_mono_ns();

	if (jit->looked_ns && now - jit->looked_ns < REFRESH_NS)
		return;
	if (!jit->window)
		jit->window = malloc(WINDOW);
	if (!jit->window || !hp_target_alive(target))
		return;
	jit->looked_ns = now;
	look_at_map(jit, target);
	for (size_t i = 0; i < n; i++) {
		if (is_dump(images[i].name))
			look_at_dump(jit, target, &images[i]);
	}
}

/* V8's names end in the place, "JS:*work /app/main.js:12:17"; the file's name may hold blanks. */
static void place_of_js(struct hp_jit *jit, struct hp_jit_code *code)
{
	const char *path = strstr(code->name, " /"), *end = code->name + strlen(code->name);
	unsigned long numbers[2] = {0}; /* column and line */

	path = path ? path : strrchr(code->name, ' ');
	if (!path || !path[1])
		return;
	for (int i = 0; i < 2; i++) {
		const char *colon = memrchr(path, ':', (size_t)(end - path));
		char *stop;

		if (!colon || colon[1] < '0' || colon[1] > '9')
			return;
		numbers[i] = strtoul(colon + 1, &stop, 10);
		if (stop != end || numbers[i] > INT32_MAX)
			return;
		end = colon;
	}
	snprintf(jit->file, sizeof(jit->file), "%.*s", (int)(end - path - 1), path + 1);
	code->file = jit->file;
	code->line = (uint32_t)numbers[1];
}

/* CPython's are "py::work:/app/main.py". */
static void place_of_python(struct hp_jit_code *code)
{
	const char *colon = strchr(code->name + 4, ':');

	if (colon && colon[1])
		code->file = colon + 1;
}

static void find_place(struct hp_jit *jit, struct hp_jit_code *code)
{
	if (code->file)
		return;
	if (strncmp(code->name, "py::", 4) == 0)
		place_of_python(code);
	else
		place_of_js(jit, code);
}

bool hp_jit_find(struct hp_jit *jit, const struct hp_target *target, uint64_t addr,
		 struct hp_jit_code *ret_code)
{
	const char *name;

	look(jit, target);
	for (size_t i = 0; i < jit->ndumps; i++) {
		if (!jit->dumps[i].dump || !hp_jitdump_find(jit->dumps[i].dump, addr, ret_code))
			continue;
		find_place(jit, ret_code);
		return true;
	}
	name = jit->map ? hp_perfmap_find(jit->map, addr) : NULL;
	if (!name)
		return false;
	*ret_code = (struct hp_jit_code){.name = name};
	find_place(jit, ret_code);
	return true;
}

bool hp_jit_has_names(const struct hp_jit *jit)
{
	return jit->map || jit->ndumps;
}

uint64_t hp_jit_bad_lines(const struct hp_jit *jit)
{
	return jit->bad_lines + (jit->map ? hp_perfmap_bad_lines(jit->map) : 0);
}
