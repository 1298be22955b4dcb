#include "probe/symbols.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/vec.h"
#include "elf/module.h"
#include "probe/inlined.h"
#include "probe/registry.h"
#include "probe/vdso.h"
#include "target/jit.h"
#include "target/kallsyms.h"
#include "target/modcache.h"
#include "target/proc.h"
#include "target/target.h"

/* The mappings are read again for an unknown address (dlopen), but not more often than this. */
#define REFRESH_NS 1000000000ull
/* JIT code may give new addresses for ever: then start over. */
#define MAX_CACHED 200000

/* What is known of an address. */
struct spot {
	struct hp_code_frame frame;
	const struct hp_module *module; /* that has vaddr; NULL = no file's code */
	uint64_t vaddr;
	bool wanted; /* its inlined functions are asked for */
	bool brief;  /* the code there may be replaced: not to be kept */
};

struct hp_symbols {
	struct hp_target *target;
	struct hp_modcache *modules;
	struct hp_registry *registry;
	struct hp_kallsyms *kernel;
	bool kernel_tried;
	struct hp_module *vdso;
	bool vdso_tried;
	struct hp_jit *jit;
	bool hint_given;
	struct hp_inlined *inlined;
	struct hp_map *cache; /* address * 2 + call -> index of its spot */
	HP_VEC(struct spot) spots;
	uint64_t refreshed_ns;
	unsigned debug_files; /* that had come when it began */
	bool frozen;
};

int hp_symbols_new(pid_t pid, struct hp_modcache *modules, struct hp_registry *registry,
		   struct hp_symbols **ret_symbols)
{
	HP_AUTO(hp_symbols) struct hp_symbols *symbols = calloc(1, sizeof(*symbols));
	int r;

	if (!symbols)
		return -ENOMEM;
	symbols->modules = modules;
	symbols->registry = registry;
	r = hp_map_new(&symbols->cache);
	if (r == 0)
		r = hp_jit_new(&symbols->jit);
	if (r == 0)
		r = hp_inlined_new(registry, &symbols->inlined);
	if (r == 0)
		r = hp_target_open(pid, &symbols->target, NULL);
	if (r < 0)
		return r;
	*ret_symbols = HP_TAKE_PTR(symbols);
	return 0;
}

void hp_symbols_free(struct hp_symbols *symbols)
{
	if (!symbols)
		return;
	hp_target_free(symbols->target);
	hp_kallsyms_free(symbols->kernel);
	hp_module_free(symbols->vdso);
	hp_jit_free(symbols->jit);
	hp_inlined_free(symbols->inlined);
	hp_map_free(symbols->cache);
	hp_vec_free(&symbols->spots);
	free(symbols);
}

static struct hp_code_frame frame_of(struct hp_symbols *symbols, const char *module,
				     const char *name, bool known)
{
	struct hp_code_frame frame = {.known = known};

	if (hp_registry_add(symbols->registry, module, name, &frame.entity) < 0)
		frame = (struct hp_code_frame){0};
	return frame;
}

static const struct hp_image *image_of(const struct hp_symbols *symbols,
				       const struct hp_mapping *mapping)
{
	size_t n;
	const struct hp_image *images = hp_target_images(symbols->target, &n);
	uint64_t dev = ((uint64_t)mapping->dev_major << 32) | mapping->dev_minor;

	for (size_t i = 0; i < n; i++) {
		if (images[i].inode == mapping->inode && images[i].dev == dev)
			return &images[i];
	}
	return NULL;
}

/* trap:T2: code that no file has. */
static bool find_jit(struct hp_symbols *symbols, uint64_t addr, struct spot *spot)
{
	struct hp_jit_code code;

	if (symbols->frozen || !hp_jit_find(symbols->jit, symbols->target, addr, &code))
		return false;
	*spot = (struct spot){.frame = frame_of(symbols, NULL, code.name, true), .brief = true};
	spot->frame.line = code.line;
	if (code.file && hp_registry_add(symbols->registry, NULL, code.file, &spot->frame.file) < 0)
		spot->frame.file = 0;
	return true;
}

static void give_hint(struct hp_symbols *symbols)
{
	if (symbols->hint_given || hp_jit_has_names(symbols->jit))
		return;
	symbols->hint_given = true;
	hp_log(HP_LOG_WARN, "symbols",
	       "%s runs code that it has made itself and tells no names of: start node with "
	       "--perf-basic-prof, python 3.12 or later with -X perf, Java with an agent that writes "
	       "/tmp/perf-PID.map",
	       hp_target_comm(symbols->target));
}

static struct spot spot_in_vdso(struct hp_symbols *symbols, uint64_t offset)
{
	uint64_t vaddr;
	struct hp_sym sym;

	if (!symbols->vdso_tried) {
		symbols->vdso_tried = true;
		hp_vdso_load(&symbols->vdso);
	}
	if (symbols->vdso && hp_module_vaddr(symbols->vdso, offset, &vaddr) &&
	    hp_module_find(symbols->vdso, vaddr, &sym))
		return (struct spot){.frame = frame_of(symbols, "[vdso]", sym.name, true)};
	return (struct spot){.frame = frame_of(symbols, NULL, "[vdso]", false)};
}

static struct spot spot_in_memory(struct hp_symbols *symbols, const struct hp_mapping *mapping,
				  uint64_t addr)
{
	struct spot spot;

	if (strcmp(mapping->path, "[vdso]") == 0)
		return spot_in_vdso(symbols, addr - mapping->start);
	if (find_jit(symbols, addr, &spot))
		return spot;
	/* "[anon:NAME]" is what a program calls its own memory. */
	if (mapping->path[0] == '[' && strncmp(mapping->path, "[anon", 5) != 0)
		return (struct spot){.frame = frame_of(symbols, NULL, mapping->path, false)};
	give_hint(symbols);
	return (struct spot){.frame = frame_of(symbols, NULL, "[anonymous code]", false),
			     .brief = true};
}

static struct spot spot_in(struct hp_symbols *symbols, const struct hp_mapping *mapping,
			   uint64_t addr)
{
	const struct hp_image *image = image_of(symbols, mapping);
	struct hp_module *module = NULL;
	struct spot spot = {0};
	struct hp_sym sym;

	if (!image)
		return spot_in_memory(symbols, mapping, addr);
	/* By file offset: right for any number of segments and whatever the loader did (trap:T4). */
	if (hp_modcache_get(symbols->modules, symbols->target, image, &module, NULL) == 0 &&
	    hp_module_vaddr(module, addr - mapping->start + mapping->offset, &spot.vaddr) &&
	    hp_module_find(module, spot.vaddr, &sym)) {
		spot.module = module;
		spot.frame = frame_of(symbols, image->is_exe ? NULL : image->name, sym.name, true);
		return spot;
	}
	/* Some compilers write into memory that they have mapped twice, by a memfd. */
	if (find_jit(symbols, addr, &spot))
		return spot;
	return (struct spot){.frame = frame_of(symbols, image->name, "[unknown]", false)};
}

static void forget(struct hp_symbols *symbols)
{
	hp_map_clear(symbols->cache);
	symbols->spots.len = 0;
}

static const struct hp_mapping *mapping_of(struct hp_symbols *symbols, uint64_t addr)
{
	const struct hp_mapping *mapping = hp_maps_find(hp_target_maps(symbols->target), addr);
	uint64_t now;

	if (mapping && mapping->exec)
		return mapping;
	now = hp_clock_mono_ns();
	if (symbols->frozen || now - symbols->refreshed_ns < REFRESH_NS)
		return NULL;
	symbols->refreshed_ns = now;
	if (hp_target_refresh_maps(symbols->target) < 0)
		return NULL;
	forget(symbols);
	return hp_maps_find(hp_target_maps(symbols->target), addr);
}

static struct spot resolve_user(struct hp_symbols *symbols, uint64_t addr)
{
	const struct hp_mapping *mapping = mapping_of(symbols, addr);

	return mapping ? spot_in(symbols, mapping, addr)
		       : (struct spot){.frame = frame_of(symbols, NULL, "[unknown]", false)};
}

static struct spot resolve_kernel(struct hp_symbols *symbols, uint64_t addr)
{
	const char *name;

	if (!symbols->kernel_tried) {
		int r = hp_kallsyms_read(&symbols->kernel);

		symbols->kernel_tried = true;
		if (r < 0)
			hp_log(HP_LOG_INFO, "cpu", "no kernel symbols: %s", hp_err_name(r));
	}
	name = symbols->kernel ? hp_kallsyms_find(symbols->kernel, addr) : NULL;
	return (struct spot){.frame = name ? frame_of(symbols, "kernel", name, true)
					   : frame_of(symbols, "kernel", "[unknown]", false)};
}

/* Of an address that is not to be kept, or for which there is no memory, the spot is in *@fresh. */
static struct spot *spot_at(struct hp_symbols *symbols, uint64_t addr, bool call,
			    struct spot (*resolve)(struct hp_symbols *, uint64_t),
			    struct spot *fresh)
{
	uint64_t key = addr << 1 | call, index;
	unsigned debug_files = hp_modcache_came(symbols->modules);

	if (debug_files != symbols->debug_files) {
		symbols->debug_files = debug_files;
		forget(symbols);
	}
	if (hp_map_get(symbols->cache, key, &index))
		return &symbols->spots.data[index];
	if (symbols->spots.len > MAX_CACHED)
		forget(symbols);
	*fresh = resolve(symbols, call ? addr - 1 : addr);
	if (fresh->brief || hp_vec_push(&symbols->spots, *fresh) < 0)
		return fresh;
	index = symbols->spots.len - 1;
	if (hp_map_put(symbols->cache, key, index) < 0) {
		symbols->spots.len--;
		return fresh;
	}
	return &symbols->spots.data[index];
}

const struct hp_target *hp_symbols_target(const struct hp_symbols *symbols)
{
	return symbols->target;
}

void hp_symbols_freeze(struct hp_symbols *symbols)
{
	symbols->frozen = true;
}

struct hp_code_frame hp_symbols_lost(struct hp_symbols *symbols)
{
	return frame_of(symbols, NULL, "[unknown]", false);
}

static const struct hp_image *image_at(const struct hp_symbols *symbols, uint64_t addr)
{
	const struct hp_mapping *mapping = hp_maps_find(hp_target_maps(symbols->target), addr);

	return mapping ? image_of(symbols, mapping) : NULL;
}

void hp_symbols_want(struct hp_symbols *symbols, uint64_t addr, bool call)
{
	struct spot fresh, *spot = spot_at(symbols, addr, call, resolve_user, &fresh);
	const struct hp_image *image;

	if (!spot->module || spot->wanted || symbols->frozen)
		return;
	image = image_at(symbols, call ? addr - 1 : addr);
	if (image && hp_inlined_want(symbols->inlined, image, spot->module, spot->vaddr) == 0)
		spot->wanted = true;
}

void hp_symbols_fetch(struct hp_symbols *symbols)
{
	if (!symbols->frozen)
		hp_inlined_fetch(symbols->inlined, symbols->target);
}

struct hp_symbols_gaps hp_symbols_gaps(const struct hp_symbols *symbols)
{
	return (struct hp_symbols_gaps){
		.inlined_missed = hp_inlined_missed(symbols->inlined),
		.bad_lines = hp_jit_bad_lines(symbols->jit),
	};
}

size_t hp_symbols_user(struct hp_symbols *symbols, uint64_t addr, bool call,
		       struct hp_code_frame *frames, size_t max)
{
	struct spot fresh, *spot = spot_at(symbols, addr, call, resolve_user, &fresh);

	if (spot->module)
		return hp_inlined_find(symbols->inlined, spot->module, spot->vaddr, &spot->frame,
				       frames, max);
	frames[0] = spot->frame;
	return 1;
}

struct hp_code_frame hp_symbols_kernel(struct hp_symbols *symbols, uint64_t addr, bool call)
{
	struct spot fresh;

	return spot_at(symbols, addr, call, resolve_kernel, &fresh)->frame;
}
