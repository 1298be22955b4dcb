#include "probe/inlined.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "elf/inline.h"
#include "elf/module.h"
#include "probe/registry.h"
#include "target/debugfile.h"
#include "target/target.h"

#define PAUSE        20      /* times what a fetch took */
#define MAX_FAILURES 2       /* then a file is given up */
#define MAX_FRAMES   1000000 /* of one file that are kept; then it starts over */
#define MAX_WANTED   65536   /* of one file at a time */

/* Where a file's debug information is looked for: in itself, in the places of target/debugfile.h, nowhere. */
#define PLACES  (1 + HP_DEBUGFILE_PLACES)
#define UNKNOWN UINT64_MAX /* in known: asked for, and nothing came */

struct file {
	const struct hp_module *module;
	uint64_t dev, inode;
	char prefix[NAME_MAX + 1]; /* of names; "" = the executable's */
	unsigned place;            /* PLACES = there is no debug information */
	unsigned failures;
	uint64_t not_before_ns;
	HP_VEC(uint64_t) wanted;
	struct hp_map *known; /* vaddr -> first frame << 8 | number of frames, or UNKNOWN */
	HP_VEC(struct hp_code_frame) frames; /* an entity of 0 stands for the function itself */
};

struct hp_inlined {
	struct hp_registry *registry;
	HP_VEC(struct file) files;
	uint64_t missed;
};

static void file_deinit(struct file *file)
{
	hp_vec_free(&file->wanted);
	hp_map_free(file->known);
	hp_vec_free(&file->frames);
}

int hp_inlined_new(struct hp_registry *registry, struct hp_inlined **ret_inlined)
{
	struct hp_inlined *inlined = calloc(1, sizeof(*inlined));

	if (!inlined)
		return -ENOMEM;
	inlined->registry = registry;
	*ret_inlined = inlined;
	return 0;
}

void hp_inlined_free(struct hp_inlined *inlined)
{
	if (!inlined)
		return;
	hp_vec_each(file, &inlined->files)
		file_deinit(file);
	hp_vec_free(&inlined->files);
	free(inlined);
}

/* A process has some ten files with code. */
static struct file *find_file(const struct hp_inlined *inlined, const struct hp_module *module)
{
	hp_vec_each(file, &inlined->files) {
		if (file->module == module)
			return file;
	}
	return NULL;
}

static int add_file(struct hp_inlined *inlined, const struct hp_image *image,
		    const struct hp_module *module, struct file **ret_file)
{
	struct file file = {.module = module, .dev = image->dev, .inode = image->inode};
	int r = hp_map_new(&file.known);

	if (!image->is_exe)
		snprintf(file.prefix, sizeof(file.prefix), "%s", image->name);
	if (r == 0)
		r = hp_vec_push(&inlined->files, file);
	if (r < 0) {
		file_deinit(&file);
		return r;
	}
	*ret_file = &inlined->files.data[inlined->files.len - 1];
	return 0;
}

int hp_inlined_want(struct hp_inlined *inlined, const struct hp_image *image,
		    const struct hp_module *module, uint64_t vaddr)
{
	struct file *file = find_file(inlined, module);
	int r = file ? 0 : add_file(inlined, image, module, &file);

	if (r < 0)
		return r;
	if (file->place == PLACES || hp_map_get(file->known, vaddr, NULL))
		return 0;
	if (file->wanted.len == MAX_WANTED) {
		inlined->missed++;
		return 0;
	}
	r = hp_map_put(file->known, vaddr, UNKNOWN);
	return r < 0 ? r : hp_vec_push(&file->wanted, vaddr);
}

static const struct hp_image *image_of(const struct file *file, const struct hp_target *target)
{
	size_t n;
	const struct hp_image *images = hp_target_images(target, &n);

	for (size_t i = 0; i < n; i++) {
		if (images[i].dev == file->dev && images[i].inode == file->inode)
			return &images[i];
	}
	return NULL;
}

/* File descriptor or negative errno. */
static int open_place(const struct file *file, const struct hp_target *target,
		      const struct hp_image *image)
{
	char path[PATH_MAX + 64];

	if (file->place == 0)
		return hp_target_open_image(target, image);
	/* By its build id alone the reader can tell whether another file belongs to this one. */
	if (!*hp_module_build_id(file->module))
		return -ENODATA;
	return hp_debugfile_open(target, image, file->module, file->place - 1, path, sizeof(path));
}

/* Asks the first place that has debug information, and stays with it. */
static int resolve(struct file *file, const struct hp_target *target, size_t n,
		   struct hp_inlines *ret_inlines)
{
	const struct hp_image *image = image_of(file, target);

	if (!image)
		return -ENOENT;
	for (; file->place < PLACES; file->place++) {
		HP_AUTO_FD int fd = open_place(file, target, image);
		int r = fd < 0 ? -ENODATA
			       : hp_inline_resolve(
					 fd, file->place ? hp_module_build_id(file->module) : "",
					 file->wanted.data, n, ret_inlines);

		if (r != -ENODATA && r != -ESTALE && r != -ENOEXEC)
			return r;
	}
	return -ENODATA;
}

static int add_frame(struct hp_inlined *inlined, struct file *file,
		     const struct hp_inlines *inlines, const struct hp_inline_frame *from,
		     bool last)
{
	const char *name = hp_inlines_text(inlines, from->name);
	const char *path = hp_inlines_text(inlines, from->file);
	struct hp_code_frame frame = {.known = true, .inlined = *name, .line = from->line};
	int r = 0;

	if (!*name && !last)
		return -EBADMSG;
	if (*name)
		r = hp_registry_add(inlined->registry, file->prefix, name, &frame.entity);
	if (r == 0 && *path)
		r = hp_registry_add(inlined->registry, NULL, path, &frame.file);
	return r < 0 ? r : hp_vec_push(&file->frames, frame);
}

static int take(struct hp_inlined *inlined, struct file *file, const struct hp_inlines *inlines)
{
	int r = 0;

	for (size_t i = 0; i < inlines->stacks.len && r >= 0; i++) {
		const struct hp_inline_stack *stack = &inlines->stacks.data[i];
		uint64_t first = file->frames.len;

		if (!stack->n)
			continue;
		for (uint32_t k = 0; k < stack->n && r == 0; k++)
			r = add_frame(inlined, file, inlines,
				      &inlines->frames.data[stack->first + k], k + 1 == stack->n);
		if (r == 0)
			r = hp_map_put(file->known, file->wanted.data[i], first << 8 | stack->n);
		r = r < 0 ? r : 0;
	}
	return r;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void forget(struct file *file, size_t n)
{
	file->wanted.len -= n;
	memmove(file->wanted.data, file->wanted.data + n, file->wanted.len * sizeof(uint64_t));
}

static void fail(struct hp_inlined *inlined, struct file *file, size_t n, int r)
{
	inlined->missed += n;
	/* No debug information is no failure. */
	if (r != -ENODATA && ++file->failures < MAX_FAILURES)
		return;
	if (r != -ENODATA)
		hp_log(HP_LOG_INFO, "symbols", "no lines and inlined functions of %s: %s",
		       hp_module_name(file->module), hp_err_name(r));
	file->place = PLACES;
	hp_vec_free(&file->wanted);
	hp_map_clear(file->known);
}

static void fetch(struct hp_inlined *inlined, struct file *file, const struct hp_target *target)
{
	uint64_t started = hp_clock_mono_ns(), ended;
	HP_CLEANUP(hp_inlines_deinit) struct hp_inlines inlines = {0};
	size_t n = file->wanted.len < HP_INLINE_MAX_ADDRS ? file->wanted.len : HP_INLINE_MAX_ADDRS;
	int r;

	if (n == 0 || started < file->not_before_ns)
		return;
	if (file->frames.len > MAX_FRAMES) {
		hp_map_clear(file->known);
		file->frames.len = 0;
	}
	qsort(file->wanted.data, file->wanted.len, sizeof(uint64_t), ascending);
	r = resolve(file, target, n, &inlines);
	if (r == 0)
		r = take(inlined, file, &inlines);
	ended = hp_clock_mono_ns();
	file->not_before_ns = ended + (ended - started) * PAUSE;
	inlined->missed += inlines.late;
	if (r < 0)
		fail(inlined, file, n, r);
	if (file->place < PLACES)
		forget(file, n);
}

void hp_inlined_fetch(struct hp_inlined *inlined, const struct hp_target *target)
{
	hp_vec_each(file, &inlined->files)
		fetch(inlined, file, target);
}

size_t hp_inlined_find(const struct hp_inlined *inlined, const struct hp_module *module,
		       uint64_t vaddr, const struct hp_code_frame *function,
		       struct hp_code_frame *frames, size_t max)
{
	const struct file *file = find_file(inlined, module);
	const struct hp_code_frame *known;
	uint64_t value;
	size_t n, kept;

	frames[0] = *function;
	if (!file || !hp_map_get(file->known, vaddr, &value) || value == UNKNOWN)
		return 1;
	known = file->frames.data + (value >> 8);
	n = value & 0xff;
	kept = n < max ? n : max;
	memcpy(frames, known, (kept - 1) * sizeof(*frames));
	frames[kept - 1] = *function;
	frames[kept - 1].file = known[n - 1].file;
	frames[kept - 1].line = known[n - 1].line;
	return kept;
}

uint64_t hp_inlined_missed(const struct hp_inlined *inlined)
{
	return inlined->missed;
}
