#include "target/modcache.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "elf/module.h"
#include "target/debugfile.h"
#include "target/debuginfod.h"
#include "target/target.h"

struct entry {
	uint64_t dev, inode;
	struct hp_module *module; /* NULL: failed */
	struct hp_err err;
	bool coming; /* its debug file has been asked for */
};

struct hp_modcache {
	pthread_mutex_t lock;
	struct hp_debuginfod *debuginfod;    /* NULL: not configured */
	HP_VEC(struct hp_module *) outdated; /* lent out before a debug file came */
	HP_VEC(struct entry) entries;
	pthread_mutex_t names_lock; /* held briefly, also while a load holds the other one */
	char names[HP_MODCACHE_NAMES];
};

int hp_modcache_new(struct hp_modcache **ret_cache)
{
	struct hp_modcache *cache = calloc(1, sizeof(*cache));
	int r;

	if (!cache)
		return -ENOMEM;
	r = hp_debuginfod_new(&cache->debuginfod);
	if (r < 0) {
		free(cache);
		return r;
	}
	pthread_mutex_init(&cache->lock, NULL);
	pthread_mutex_init(&cache->names_lock, NULL);
	*ret_cache = cache;
	return 0;
}

void hp_modcache_free(struct hp_modcache *cache)
{
	if (!cache)
		return;
	hp_debuginfod_free(cache->debuginfod);
	hp_vec_each(entry, &cache->entries)
		hp_module_free(entry->module);
	hp_vec_free(&cache->entries);
	hp_vec_each(module, &cache->outdated)
		hp_module_free(*module);
	hp_vec_free(&cache->outdated);
	pthread_mutex_destroy(&cache->lock);
	pthread_mutex_destroy(&cache->names_lock);
	free(cache);
}

/* NULL: not of the same build, or of no use. */
static struct hp_module *load_whole(const struct hp_image *image, int fd, int debug_fd,
				    const char *path)
{
	struct hp_module *whole = NULL;
	struct hp_err err = {0};

	if (hp_module_load_debug(fd, image->name, debug_fd, path, &whole, &err) == 0)
		return whole;
	hp_log(HP_LOG_INFO, "symbols", "%s is not used: %s", path, err.text);
	return NULL;
}

/* trap:T10: the first debug file of the same build takes the place of what a stripped file tells. */
static struct hp_module *find_whole(const struct hp_target *target, const struct hp_image *image,
				    int fd, const struct hp_module *module)
{
	struct hp_module *whole = NULL;

	for (unsigned i = 0; i < HP_DEBUGFILE_PLACES && !whole; i++) {
		char path[PATH_MAX + 64];
		HP_AUTO_FD int debug_fd =
			hp_debugfile_open(target, image, module, i, path, sizeof(path));

		if (debug_fd >= 0)
			whole = load_whole(image, fd, debug_fd, path);
	}
	return whole;
}

/* As hp_debuginfod_open() waits; what comes later is used at a later call. */
static struct hp_module *ask_for_whole(struct hp_modcache *cache, const struct hp_image *image,
				       int fd, struct entry *entry)
{
	char path[PATH_MAX];
	HP_AUTO_FD int debug_fd = -ENOENT;

	if (!cache->debuginfod)
		return NULL;
	debug_fd = hp_debuginfod_open(cache->debuginfod, hp_module_build_id(entry->module), path,
				      sizeof(path));
	entry->coming = debug_fd == -EAGAIN;
	return debug_fd < 0 ? NULL : load_whole(image, fd, debug_fd, path);
}

static void load(struct hp_modcache *cache, const struct hp_target *target,
		 const struct hp_image *image, struct entry *entry)
{
	HP_AUTO_FD int fd = hp_target_open_image(target, image);
	struct hp_module *whole;

	if (fd < 0) {
		hp_err_set(&entry->err, fd, "cannot open %s: %s", image->path, hp_err_name(fd));
		return;
	}
	if (hp_module_load(fd, image->name, &entry->module, &entry->err) < 0 ||
	    !(hp_module_traits(entry->module) & HP_MODULE_STRIPPED))
		return;
	whole = find_whole(target, image, fd, entry->module);
	if (!whole)
		whole = ask_for_whole(cache, image, fd, entry);
	if (whole) {
		hp_module_free(entry->module);
		entry->module = whole;
	}
}

/* Has the debug file come that was not there in time? */
static void look_again(struct hp_modcache *cache, const struct hp_target *target,
		       const struct hp_image *image, struct entry *entry)
{
	HP_AUTO_FD int fd = hp_target_open_image(target, image);
	struct hp_module *whole = NULL;

	if (fd >= 0)
		whole = ask_for_whole(cache, image, fd, entry);
	if (whole && hp_vec_push(&cache->outdated, entry->module) == 0)
		entry->module = whole;
	else
		hp_module_free(whole);
}

static void note_names(struct hp_modcache *cache, const struct hp_image *image,
		       const struct entry *entry)
{
	char names[HP_MODCACHE_NAMES] = "";

	if (!image->is_exe)
		return;
	if (entry->module)
		hp_module_explain_names(entry->module, names, sizeof(names));
	else
		snprintf(names, sizeof(names), "%s", entry->err.text);
	pthread_mutex_lock(&cache->names_lock);
	memcpy(cache->names, names, sizeof(names));
	pthread_mutex_unlock(&cache->names_lock);
}

void hp_modcache_names(struct hp_modcache *cache, char *buf, size_t size)
{
	pthread_mutex_lock(&cache->names_lock);
	snprintf(buf, size, "%s", cache->names);
	pthread_mutex_unlock(&cache->names_lock);
}

void hp_modcache_asked(struct hp_modcache *cache, char *buf, size_t size)
{
	hp_debuginfod_explain(cache->debuginfod, buf, size);
}

unsigned hp_modcache_came(const struct hp_modcache *cache)
{
	return hp_debuginfod_came(cache->debuginfod);
}

static struct entry *find(struct hp_modcache *cache, const struct hp_image *image)
{
	hp_vec_each(entry, &cache->entries) {
		if (entry->dev == image->dev && entry->inode == image->inode)
			return entry;
	}
	return NULL;
}

int hp_modcache_get(struct hp_modcache *cache, const struct hp_target *target,
		    const struct hp_image *image, struct hp_module **ret_module, struct hp_err *err)
{
	struct entry *entry;
	int r = 0;

	pthread_mutex_lock(&cache->lock);
	entry = find(cache, image);
	if (!entry) {
		struct entry fresh = {.dev = image->dev, .inode = image->inode};

		load(cache, target, image, &fresh);
		note_names(cache, image, &fresh);
		r = hp_vec_push(&cache->entries, fresh);
		if (r < 0)
			hp_module_free(fresh.module);
		else
			entry = &cache->entries.data[cache->entries.len - 1];
	} else {
		if (entry->coming)
			look_again(cache, target, image, entry);
		note_names(cache, image, entry); /* an exec may lead back to a file that is known */
	}
	if (entry && entry->module) {
		*ret_module = entry->module;
	} else if (entry) {
		r = entry->err.code;
		if (err)
			*err = entry->err;
	}
	pthread_mutex_unlock(&cache->lock);
	return r;
}
