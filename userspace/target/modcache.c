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
#include "target/target.h"

struct entry {
	uint64_t dev, inode;
	struct hp_module *module; /* NULL: failed */
	struct hp_err err;
};

struct hp_modcache {
	pthread_mutex_t lock;
	HP_VEC(struct entry) entries;
	pthread_mutex_t names_lock; /* held briefly, also while a load holds the other one */
	char names[HP_MODCACHE_NAMES];
};

int hp_modcache_new(struct hp_modcache **ret_cache)
{
	struct hp_modcache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	pthread_mutex_init(&cache->lock, NULL);
	pthread_mutex_init(&cache->names_lock, NULL);
	*ret_cache = cache;
	return 0;
}

void hp_modcache_free(struct hp_modcache *cache)
{
	if (!cache)
		return;
	hp_vec_each(entry, &cache->entries)
		hp_module_free(entry->module);
	hp_vec_free(&cache->entries);
	pthread_mutex_destroy(&cache->lock);
	pthread_mutex_destroy(&cache->names_lock);
	free(cache);
}

/* trap:T10: the first debug file of the same build takes the place of what a stripped file tells. */
static void complete(const struct hp_target *target, const struct hp_image *image, int fd,
		     struct hp_module **module)
{
	for (unsigned i = 0; i < HP_DEBUGFILE_PLACES; i++) {
		char path[PATH_MAX + 64];
		HP_AUTO_FD int debug_fd =
			hp_debugfile_open(target, image, *module, i, path, sizeof(path));
		struct hp_module *whole = NULL;
		struct hp_err err = {0};

		if (debug_fd < 0)
			continue;
		if (hp_module_load_debug(fd, image->name, debug_fd, path, &whole, &err) == 0) {
			hp_module_free(*module);
			*module = whole;
			return;
		}
		hp_log(HP_LOG_INFO, "symbols", "%s is not used: %s", path, err.text);
	}
}

static void load(const struct hp_target *target, const struct hp_image *image, struct entry *entry)
{
	HP_AUTO_FD int fd = hp_target_open_image(target, image);

	if (fd < 0) {
		hp_err_set(&entry->err, fd, "cannot open %s: %s", image->path, hp_err_name(fd));
		return;
	}
	if (hp_module_load(fd, image->name, &entry->module, &entry->err) == 0 &&
	    hp_module_traits(entry->module) & HP_MODULE_STRIPPED)
		complete(target, image, fd, &entry->module);
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

		load(target, image, &fresh);
		note_names(cache, image, &fresh);
		r = hp_vec_push(&cache->entries, fresh);
		if (r < 0)
			hp_module_free(fresh.module);
		else
			entry = &cache->entries.data[cache->entries.len - 1];
	} else {
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
