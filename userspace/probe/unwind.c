/*
 * Where user stacks get their unwind tables from.
 *
 * One pass over a process: its executable mappings; for each file that is new, the table of elf/cfi (from the cache on
 * disk, or compiled in the sandbox), copied into the kernel's maps (probe/unwind_tables); then the list of mappings is
 * published at once. A mapping is tied to its table by file offset, so it holds for any number of segments and
 * whatever the loader did (trap:T4). Which pass is due is for engine/unwinder to say.
 *
 * When the maps are full, all is forgotten and only what is mapped now comes back: files that were closed make room then
 * and not before, as counting who uses which rows is not worth it.
 *
 * Ruled out: tables by process (libc once per process), tables built when a sample misses them (the sample is over by then).
 */
#include "probe/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "elf/cfi.h"
#include "elf/loads.h"
#include "probe/unwind_tables.h"
#include "probe/vdso.h"
#include "target/proc.h"
#include "target/target.h"

struct file {
	uint64_t dev, inode; /* 0, 0: the vdso */
	bool has_table;
	struct hp_loads loads;
	uint64_t low; /* link-time address in the first page */
	uint32_t page;
};

struct published {
	pid_t pid;
	HP_VEC(struct hp_unwind_mapping) mappings;
};

struct hp_unwind {
	struct hp_unwind_tables *tables;
	HP_VEC(struct file) files;
	HP_VEC(struct published) processes;
	struct hp_unwind_figures figures;
};

int hp_unwind_new(const struct hp_unwind_maps *maps, struct hp_unwind **ret_unwind)
{
	HP_AUTO(hp_unwind) struct hp_unwind *unwind = calloc(1, sizeof(*unwind));
	int r;

	if (!unwind)
		return -ENOMEM;
	r = hp_unwind_tables_new(maps, &unwind->tables);
	if (r < 0)
		return r;
	*ret_unwind = HP_TAKE_PTR(unwind);
	return 0;
}

void hp_unwind_free(struct hp_unwind *unwind)
{
	if (!unwind)
		return;
	hp_vec_each(process, &unwind->processes)
		hp_vec_free(&process->mappings);
	hp_vec_free(&unwind->processes);
	hp_vec_free(&unwind->files);
	hp_unwind_tables_free(unwind->tables);
	free(unwind);
}

static int add_table(struct hp_unwind *unwind, const char *name, const struct hp_cfi *cfi,
		     uint64_t low, uint64_t high, struct file *file)
{
	int r = hp_unwind_tables_add(unwind->tables, cfi, low, high, &file->page);

	if (r == -ENOSPC)
		return r;
	if (r < 0) {
		hp_log(HP_LOG_INFO, "unwind", "no table for %s: %s", name, hp_err_name(r));
		return 0;
	}
	file->low = low;
	file->has_table = true;
	unwind->figures.rows += cfi->rows.len;
	return 0;
}

static int load_file(struct hp_unwind *unwind, const struct hp_target *target,
		     const struct hp_image *image, struct file *file)
{
	HP_AUTO_FD int fd = hp_target_open_image(target, image);
	struct hp_cfi cfi = {0};
	struct hp_err err = {0};
	uint64_t low, high;
	int r;

	if (fd < 0)
		return fd == -EMFILE || fd == -ENOMEM ? fd : 0;
	r = hp_loads_read(fd, &file->loads);
	if (r < 0)
		hp_err_set(&err, r, "its program headers cannot be read: %s", hp_err_name(r));
	else
		r = hp_cfi_load_cached(fd, image->name, file->loads.build_id, &cfi, &err);
	if (r < 0) {
		hp_log(HP_LOG_INFO, "unwind", "no table for %s: %s", image->path, err.text);
		return 0;
	}
	hp_loads_range(&file->loads, &low, &high);
	if (cfi.pages.len)
		r = add_table(unwind, image->name, &cfi, low, high, file);
	hp_cfi_deinit(&cfi);
	return r;
}

static int load_vdso(struct hp_unwind *unwind, struct file *file)
{
	struct hp_cfi cfi = {0};
	const void *image; /* the same in every process */
	size_t size;
	int r;

	if (hp_vdso_image(&image, &size) < 0 || hp_cfi_load_memory(image, size, &cfi) < 0)
		return 0;
	r = add_table(unwind, "[vdso]", &cfi, 0, size - 1, file);
	hp_cfi_deinit(&cfi);
	return r;
}

static const struct file *known_file(const struct hp_unwind *unwind, uint64_t dev, uint64_t inode)
{
	hp_vec_each(file, &unwind->files) {
		if (file->dev == dev && file->inode == inode)
			return file;
	}
	return NULL;
}

/* Keeps @file whether it has a table or not, so that nothing is tried twice. */
static int keep(struct hp_unwind *unwind, const struct file *file)
{
	if (file->has_table)
		unwind->figures.files++;
	else
		unwind->figures.without++;
	return hp_vec_push(&unwind->files, *file);
}

static const struct hp_image *image_of(const struct hp_target *target, uint64_t dev, uint64_t inode)
{
	size_t n;
	const struct hp_image *images = hp_target_images(target, &n);

	for (size_t i = 0; i < n; i++) {
		if (images[i].inode == inode && images[i].dev == dev)
			return &images[i];
	}
	return NULL;
}

/* 1: *@ret_mapping has a table; 0: it has none; or negative. */
static int map_vdso(struct hp_unwind *unwind, const struct hp_mapping *from,
		    struct hp_unwind_mapping *ret_mapping)
{
	const struct file *file = known_file(unwind, 0, 0);
	struct file fresh = {0};
	int r = 0;

	if (!file) {
		r = load_vdso(unwind, &fresh);
		if (r == 0)
			r = keep(unwind, &fresh);
		if (r < 0)
			return r;
		file = &fresh;
	}
	*ret_mapping = (struct hp_unwind_mapping){
		.start = from->start, .end = from->end, .page = file->page};
	return file->has_table;
}

static int map_file(struct hp_unwind *unwind, const struct hp_target *target,
		    const struct hp_mapping *from, struct hp_unwind_mapping *ret_mapping)
{
	uint64_t dev = ((uint64_t)from->dev_major << 32) | from->dev_minor, vaddr;
	const struct hp_image *image = image_of(target, dev, from->inode);
	const struct file *file = known_file(unwind, dev, from->inode);
	struct file fresh = {.dev = dev, .inode = from->inode};
	int r = 0;

	if (!file && !image)
		return 0;
	if (!file) {
		r = load_file(unwind, target, image, &fresh);
		if (r == 0)
			r = keep(unwind, &fresh);
		if (r < 0)
			return r;
		file = &fresh;
	}
	if (!file->has_table || !hp_loads_vaddr(&file->loads, from->offset, &vaddr) ||
	    vaddr < file->low)
		return 0;
	*ret_mapping = (struct hp_unwind_mapping){
		.start = from->start,
		.end = from->end,
		.page = file->page + (uint32_t)((vaddr >> HP_UNWIND_PAGE_SHIFT) -
						(file->low >> HP_UNWIND_PAGE_SHIFT)),
		.skew = vaddr & ((1u << HP_UNWIND_PAGE_SHIFT) - 1),
	};
	return 1;
}

static int map_all(struct hp_unwind *unwind, const struct hp_target *target,
		   struct published *published)
{
	const struct hp_maps *maps = hp_target_maps(target);
	int r = 0;

	for (size_t i = 0; i < maps->len && r >= 0; i++) {
		const struct hp_mapping *from = &maps->data[i];
		struct hp_unwind_mapping mapping;

		if (!from->exec || published->mappings.len == HP_UNWIND_MAPPINGS)
			continue;
		if (strcmp(from->path, "[vdso]") == 0)
			r = map_vdso(unwind, from, &mapping);
		else
			r = map_file(unwind, target, from, &mapping);
		if (r == 1)
			r = hp_vec_push(&published->mappings, mapping);
	}
	return r < 0 ? r : 0;
}

static struct published *published_of(struct hp_unwind *unwind, pid_t pid)
{
	hp_vec_each(process, &unwind->processes) {
		if (process->pid == pid)
			return process;
	}
	return NULL;
}

static bool is_same(const struct published *a, const struct published *b)
{
	return a->mappings.len == b->mappings.len &&
	       (a->mappings.len == 0 || memcmp(a->mappings.data, b->mappings.data,
					       a->mappings.len * sizeof(*a->mappings.data)) == 0);
}

static void forget_all(struct hp_unwind *unwind)
{
	hp_log(HP_LOG_INFO, "unwind", "the unwind tables are full: begun anew with what is mapped");
	hp_unwind_tables_reset(unwind->tables);
	hp_vec_each(process, &unwind->processes)
		hp_vec_free(&process->mappings);
	unwind->processes.len = 0;
	unwind->files.len = 0;
	unwind->figures = (struct hp_unwind_figures){.build_ns = unwind->figures.build_ns};
}

/* Takes over what @fresh holds. */
static int publish(struct hp_unwind *unwind, struct published *fresh)
{
	struct published *now = published_of(unwind, fresh->pid);
	int r = hp_unwind_tables_publish(unwind->tables, fresh->pid, fresh->mappings.data,
					 fresh->mappings.len);

	if (r == 0 && now) {
		hp_vec_free(&now->mappings);
		*now = *fresh;
		return 1;
	}
	if (r == 0)
		r = hp_vec_push(&unwind->processes, *fresh);
	if (r < 0)
		hp_vec_free(&fresh->mappings);
	return r < 0 ? r : 1;
}

static int update(struct hp_unwind *unwind, const struct hp_target *target)
{
	struct published fresh = {.pid = hp_target_pid(target)};
	const struct published *now;
	int r = map_all(unwind, target, &fresh);

	now = published_of(unwind, fresh.pid);
	if (r < 0 || (now && is_same(now, &fresh))) {
		hp_vec_free(&fresh.mappings);
		return r;
	}
	return publish(unwind, &fresh);
}

int hp_unwind_update(struct hp_unwind *unwind, pid_t pid)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	uint64_t started = hp_clock_mono_ns();
	int r = hp_target_open(pid, &target, NULL);

	if (r < 0)
		return r;
	r = update(unwind, target);
	if (r == -ENOSPC && unwind->files.len) {
		forget_all(unwind);
		r = update(unwind, target);
	}
	unwind->figures.build_ns += hp_clock_mono_ns() - started;
	return r;
}

void hp_unwind_forget(struct hp_unwind *unwind, pid_t pid)
{
	struct published *published = published_of(unwind, pid);

	if (!published)
		return;
	hp_unwind_tables_forget(unwind->tables, pid);
	hp_vec_free(&published->mappings);
	*published = unwind->processes.data[--unwind->processes.len];
}

struct hp_unwind_figures hp_unwind_figures(const struct hp_unwind *unwind)
{
	struct hp_unwind_figures figures = unwind->figures;

	figures.kernel_bytes = hp_unwind_tables_bytes(unwind->tables);
	return figures;
}
