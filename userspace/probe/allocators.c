#include "probe/allocators.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elf/module.h"
#include "probe/allocator_family.h"
#include "probe/allocator_names.h"
#include "probe/allocator_pools.h"
#include "probe/allocator_version.h"
#include "target/modcache.h"
#include "target/select.h"
#include "target/target.h"

#define MAX_CONSTANTS (8u << 20) /* of a segment that are searched for a version */
#define GO_REGISTERS  17         /* the 1.N since which arguments are in registers */
#define KIND_USER     HP_ALLOCATOR_KINDS

/* A function of the module being read. */
struct find {
	struct hp_sym sym; /* its name is the module's */
	struct hp_alloc_role role;
	unsigned kind; /* enum hp_allocator_kind or KIND_USER */
};

struct scan {
	struct hp_allocators *allocators;
	const struct hp_allocator_pools *user;
	bool *matched; /* by entry of user */
	const struct hp_target *target;
	const struct hp_image *image;
	const struct hp_module *module;
	uint32_t hints;
	uint32_t does[HP_ALLOCATOR_KINDS + 1]; /* bits of enum hp_alloc_does */
	HP_VEC(struct find) found;
};

static void scan_end(struct scan *scan)
{
	hp_vec_free(&scan->found);
	free(scan->matched);
}

/* Marks every entry that matches; the first one counts. */
static bool match_user(struct scan *scan, const struct hp_sym *sym, struct hp_alloc_role *role)
{
	bool found = false;

	if (!scan->user || sym->flags & (HP_SYM_COLD | HP_SYM_IFUNC))
		return false;
	for (size_t i = 0; i < hp_allocator_pools_len(scan->user); i++) {
		if (!hp_select_matches(hp_allocator_pools_select(scan->user), i, scan->image->name,
				       scan->image->is_exe, sym->name))
			continue;
		if (!found)
			*role = *hp_allocator_pools_role(scan->user, i);
		scan->matched[i] = found = true;
	}
	return found;
}

static int scan_symbols(struct scan *scan)
{
	uint32_t traits = hp_module_traits(scan->module);

	for (size_t i = 0; i < hp_module_nsyms(scan->module); i++) {
		enum hp_allocator_kind kind = HP_ALLOCATOR_C;
		struct find find = {.kind = KIND_USER};

		hp_module_sym(scan->module, i, &find.sym);
		scan->hints |= hp_allocator_hint(find.sym.name);
		if (!match_user(scan, &find.sym, &find.role)) {
			if (!hp_allocator_name(find.sym.name, find.sym.flags, traits, &kind,
					       &find.role))
				continue;
			find.kind = kind;
		} else if (find.sym.flags & HP_SYM_GO) {
			find.role.call = HP_ALLOC_GO;
		}
		scan->does[find.kind] |= 1u << find.role.does;
		if (hp_vec_push(&scan->found, find) < 0)
			return -ENOMEM;
	}
	return 0;
}

/*
 * C names are short: a module that has only one of them is no allocator (its author's `free` may do anything), and what passes requests on to
 * the next malloc without a free of its own loses nothing.
 */
static bool is_allocator(const struct scan *scan, unsigned kind)
{
	const uint32_t both = 1u << HP_ALLOC_REQUESTS | 1u << HP_ALLOC_RELEASES;
	uint32_t does = scan->does[kind];
	bool loader = (scan->hints & (HP_ALLOCATOR_HINT_LOADER | HP_ALLOCATOR_HINT_START)) ==
		      HP_ALLOCATOR_HINT_LOADER;

	switch (kind) {
	case HP_ALLOCATOR_C:
		return (does & both) == both && !loader; /* trap:A5 */
	case HP_ALLOCATOR_JEMALLOC:
	case HP_ALLOCATOR_TCMALLOC:
	case HP_ALLOCATOR_MIMALLOC:
	case HP_ALLOCATOR_SANITIZER:
		/* The rest may be known by their C names. */
		return ((does | scan->does[HP_ALLOCATOR_C]) & both) == both;
	default:
		return does != 0;
	}
}

/* In the constants of the module's file, the first that have it. */
static void find_version(const struct scan *scan, const char *family, char *ret_version)
{
	HP_AUTO_FD int fd = hp_target_open_image(scan->target, scan->image);

	for (size_t i = 0; fd >= 0 && !*ret_version && i < hp_module_ndata(scan->module); i++) {
		const struct hp_segment *segment = hp_module_data(scan->module, i);
		size_t size = segment->filesz < MAX_CONSTANTS ? segment->filesz : MAX_CONSTANTS;
		HP_AUTO_FREE char *data = malloc(size + 1);
		ssize_t got = data ? pread(fd, data, size, (off_t)segment->offset) : -1;

		if (got > 0)
			hp_allocator_version(family, data, (size_t)got, ret_version);
	}
}

/* Before 1.17 Go's arguments were on the stack. Unknown: before 1.18, which is nearly the same. */
static bool has_registers(const struct hp_allocator_module *go)
{
	unsigned major, minor;

	return sscanf(go->version, "%u.%u", &major, &minor) == 2 &&
	       (major > 1 || minor >= GO_REGISTERS);
}

/* The row of @kind, which begins here at @first; it is made if it is the first one. */
static int find_module(struct scan *scan, size_t first, unsigned kind, uint32_t *ret_module)
{
	const char *family = kind == KIND_USER ? "user" : hp_allocator_family(kind, scan->hints);
	struct hp_allocator_module module = {
		.dev = scan->image->dev,
		.inode = scan->image->inode,
		.family = family,
	};

	for (size_t i = first; i < scan->allocators->modules.len; i++) {
		if (strcmp(scan->allocators->modules.data[i].family, family) == 0) {
			*ret_module = (uint32_t)i;
			return 0;
		}
	}
	snprintf(module.name, sizeof(module.name), "%s", scan->image->name);
	find_version(scan, family, module.version);
	*ret_module = (uint32_t)scan->allocators->modules.len;
	return hp_vec_push(&scan->allocators->modules, module);
}

static int add_function(struct scan *scan, const struct find *find, uint32_t module)
{
	struct hp_allocators *allocators = scan->allocators;
	struct hp_allocator_function function = {
		.module = module,
		.vaddr = find->sym.addr,
		.role = find->role,
		.unwinds = find->kind == KIND_USER || hp_allocator_unwinds(find->sym.name),
	};
	HP_AUTO_FREE char *symbol = strdup(find->sym.name);
	int r = symbol ? hp_vec_reserve(&allocators->functions, allocators->functions.len + 1)
		       : -ENOMEM;

	function.symbol = symbol;
	if (r == 0)
		r = hp_vec_push(&allocators->symbols, symbol);
	if (r < 0)
		return r;
	symbol = NULL;
	allocators->functions.data[allocators->functions.len++] = function;
	return 0;
}

static int scan_image(struct scan *scan)
{
	size_t first = scan->allocators->modules.len;
	int r;

	scan->hints = 0;
	scan->found.len = 0;
	memset(scan->does, 0, sizeof(scan->does));
	r = scan_symbols(scan);
	for (size_t i = 0; i < scan->found.len && r == 0; i++) {
		const struct find *find = &scan->found.data[i];
		uint32_t module;

		if (!is_allocator(scan, find->kind))
			continue;
		r = find_module(scan, first, find->kind, &module);
		if (r < 0)
			break;
		if (find->role.call == HP_ALLOC_GO &&
		    !has_registers(&scan->allocators->modules.data[module]))
			continue;
		r = add_function(scan, find, module);
	}
	return r;
}

static int note_unmatched(struct scan *scan)
{
	for (size_t i = 0; scan->user && i < hp_allocator_pools_len(scan->user); i++) {
		if (!scan->matched[i] && hp_vec_push(&scan->allocators->unmatched, i) < 0)
			return -ENOMEM;
	}
	return 0;
}

int hp_allocators_find(struct hp_target *target, struct hp_modcache *modules,
		       const struct hp_allocator_pools *user, struct hp_allocators *ret_allocators,
		       struct hp_err *err)
{
	HP_CLEANUP(hp_allocators_deinit) struct hp_allocators allocators = {0};
	HP_CLEANUP(scan_end)
	struct scan scan = {
		.allocators = &allocators,
		.user = user,
		.matched = calloc(user ? hp_allocator_pools_len(user) + 1 : 1, sizeof(bool)),
		.target = target,
	};
	size_t nimages;
	const struct hp_image *images = hp_target_images(target, &nimages);
	int r = scan.matched ? 0 : -ENOMEM;

	for (size_t i = 0; i < nimages && r == 0; i++) {
		struct hp_module *module;

		if (hp_modcache_get(modules, target, &images[i], &module, err) < 0)
			continue;
		scan.image = &images[i];
		scan.module = module;
		r = scan_image(&scan);
	}
	if (r == 0)
		r = note_unmatched(&scan);
	if (r < 0)
		return r;
	*ret_allocators = allocators;
	memset(&allocators, 0, sizeof(allocators));
	return 0;
}

void hp_allocators_deinit(struct hp_allocators *allocators)
{
	hp_vec_each(symbol, &allocators->symbols)
		free(*symbol);
	hp_vec_free(&allocators->symbols);
	hp_vec_free(&allocators->functions);
	hp_vec_free(&allocators->modules);
	hp_vec_free(&allocators->unmatched);
}
