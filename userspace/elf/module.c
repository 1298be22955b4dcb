#include "elf/module.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/utf8.h"
#include "elf/index.h"
#include "elf/sandbox.h"
#include "elf/symtab.h"

struct hp_module {
	atomic_uint refs;
	char *name;
	char *debug_path; /* NULL: no separate debug file */
	int debug_fd;
	struct hp_index index;
};

static const struct hp_sandbox_limits limits = {
	.memory_bytes = 2ull << 30,
	.output_bytes = 512ull << 20,
	.seconds = 10,
};

/* In the sandbox child. */
static int parse(int fd, int debug_fd, void **ret_data, size_t *ret_size)
{
	struct hp_index index = {0};
	int r = hp_symtab_read(fd, debug_fd, &index);

	if (r == 0)
		r = hp_index_write(&index, ret_data, ret_size);
	hp_index_deinit(&index);
	return r;
}

static int fail(const char *name, int code, struct hp_err *err)
{
	switch (code) {
	case -ENOEXEC:
		return hp_err_set(err, code, "%s is no 64-bit x86 ELF file", name);
	case -EBADMSG:
		return hp_err_set(err, code, "%s is malformed: its symbols are not used", name);
	case -E2BIG:
		return hp_err_set(err, code, "%s has more symbols than we read: they are not used",
				  name);
	case -ETIMEDOUT:
		return hp_err_set(
			err, code,
			"reading the symbols of %s took more than %u s: they are not used", name,
			limits.seconds);
	case -ESTALE:
		return hp_err_set(err, code, "the debug file is not of this build of %s", name);
	case -ENODATA:
		return hp_err_set(err, code, "the debug file of %s has no symbols", name);
	default:
		return hp_err_set(err, code, "cannot read the symbols of %s: %s", name,
				  hp_err_name(code));
	}
}

/* Functions without a name are called by where they are. */
static int name_frames(struct hp_module *module)
{
	struct hp_index *index = &module->index;
	char base[256], name[300];

	snprintf(base, sizeof(base), "%s", module->name);
	hp_utf8_tame(base);
	hp_vec_each(sym, &index->syms) {
		size_t len;

		if (!(sym->flags & HP_SYM_FRAME))
			continue;
		len = (size_t)snprintf(name, sizeof(name), "%s+0x%" PRIx64, base, sym->addr) + 1;
		if (index->strings.len + len > UINT32_MAX ||
		    hp_vec_reserve(&index->strings, index->strings.len + len) < 0)
			return -ENOMEM;
		sym->name = (uint32_t)index->strings.len;
		memcpy(index->strings.data + index->strings.len, name, len);
		index->strings.len += len;
	}
	return 0;
}

static int load(struct hp_module *module, int fd, int debug_fd)
{
	HP_AUTO_FREE void *data = NULL;
	size_t size;
	int r = hp_sandbox_run(parse, fd, debug_fd, &limits, &data, &size);

	if (r == 0)
		r = hp_index_read(data, size, &module->index);
	if (r == 0)
		r = name_frames(module);
	return r;
}

int hp_module_load_debug(int fd, const char *name, int debug_fd, const char *debug_path,
			 struct hp_module **ret_module, struct hp_err *err)
{
	HP_AUTO(hp_module) struct hp_module *module = calloc(1, sizeof(*module));
	int r;

	if (!module)
		return fail(name, -ENOMEM, err);
	atomic_init(&module->refs, 1);
	module->name = strdup(name);
	module->debug_path = debug_path ? strdup(debug_path) : NULL;
	module->debug_fd = debug_fd < 0 ? -1 : fcntl(debug_fd, F_DUPFD_CLOEXEC, 0);
	if (!module->name || (debug_path && !module->debug_path))
		return fail(name, -ENOMEM, err);
	if (debug_fd >= 0 && module->debug_fd < 0)
		return fail(name, -errno, err);
	r = load(module, fd, debug_fd);
	if (r < 0)
		return fail(name, r, err);
	*ret_module = HP_TAKE_PTR(module);
	return 0;
}

int hp_module_load(int fd, const char *name, struct hp_module **ret_module, struct hp_err *err)
{
	return hp_module_load_debug(fd, name, -1, NULL, ret_module, err);
}

struct hp_module *hp_module_ref(struct hp_module *module)
{
	atomic_fetch_add_explicit(&module->refs, 1, memory_order_relaxed);
	return module;
}

void hp_module_free(struct hp_module *module)
{
	if (!module || atomic_fetch_sub_explicit(&module->refs, 1, memory_order_acq_rel) != 1)
		return;
	hp_index_deinit(&module->index);
	if (module->debug_fd >= 0)
		close(module->debug_fd);
	free(module->debug_path);
	free(module->name);
	free(module);
}

const char *hp_module_name(const struct hp_module *module)
{
	return module->name;
}

int hp_module_debug_fd(const struct hp_module *module)
{
	return module->debug_fd;
}

uint32_t hp_module_traits(const struct hp_module *module)
{
	return module->index.traits;
}

const char *hp_module_build_id(const struct hp_module *module)
{
	return module->index.build_id;
}

const char *hp_module_debuglink(const struct hp_module *module)
{
	return module->index.debuglink;
}

uint32_t hp_module_sources(const struct hp_module *module)
{
	return module->index.sources;
}

size_t hp_module_nsyms(const struct hp_module *module)
{
	return module->index.syms.len;
}

void hp_module_sym(const struct hp_module *module, size_t i, struct hp_sym *ret_sym)
{
	const struct hp_index_sym *sym = &module->index.syms.data[i];

	*ret_sym = (struct hp_sym){
		.addr = sym->addr,
		.size = sym->size,
		.name = module->index.strings.data + sym->name,
		.flags = sym->flags,
		.aliases = sym->aliases,
	};
}

bool hp_module_find(const struct hp_module *module, uint64_t vaddr, struct hp_sym *ret_sym)
{
	size_t low = 0, high = module->index.syms.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (module->index.syms.data[middle].addr <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 ||
	    vaddr - module->index.syms.data[low - 1].addr >= module->index.syms.data[low - 1].size)
		return false;
	hp_module_sym(module, low - 1, ret_sym);
	return true;
}

size_t hp_module_nsegments(const struct hp_module *module)
{
	return module->index.segments.len;
}

const struct hp_segment *hp_module_segment(const struct hp_module *module, size_t i)
{
	return &module->index.segments.data[i];
}

size_t hp_module_ndata(const struct hp_module *module)
{
	return module->index.data.len;
}

const struct hp_segment *hp_module_data(const struct hp_module *module, size_t i)
{
	return &module->index.data.data[i];
}

bool hp_module_offset(const struct hp_module *module, uint64_t vaddr, uint64_t *ret_offset)
{
	hp_vec_each(segment, &module->index.segments) {
		if (vaddr < segment->vaddr || vaddr - segment->vaddr >= segment->filesz)
			continue;
		*ret_offset = vaddr - segment->vaddr + segment->offset;
		return true;
	}
	return false;
}

bool hp_module_vaddr(const struct hp_module *module, uint64_t offset, uint64_t *ret_vaddr)
{
	hp_vec_each(segment, &module->index.segments) {
		if (offset < segment->offset || offset - segment->offset >= segment->filesz)
			continue;
		*ret_vaddr = offset - segment->offset + segment->vaddr;
		return true;
	}
	return false;
}

static void count_frames(const struct hp_module *module, unsigned *ret_whole, unsigned *ret_parts)
{
	hp_vec_each(sym, &module->index.syms) {
		if (sym->flags & HP_SYM_FRAME)
			(*(sym->flags & HP_SYM_COLD ? ret_parts : ret_whole))++;
	}
}

static const char *table_of(uint32_t sources)
{
	if (sources & HP_NAMES_PCLNTAB)
		return "its .gopclntab";
	if (sources & HP_NAMES_DEBUGDATA)
		return "its .gnu_debugdata";
	return sources & HP_NAMES_DYNSYM ? "its dynamic symbols only" : "nowhere: it is stripped";
}

static const char *refused(uint32_t sources)
{
	if (sources & HP_NAMES_BAD_DEBUGDATA)
		return "; its .gnu_debugdata is malformed";
	if (sources & HP_NAMES_BAD_PCLNTAB)
		return "; its .gopclntab is malformed or of an unknown version";
	return sources & HP_NAMES_BAD_FRAMES ? "; its .eh_frame is malformed" : "";
}

bool hp_module_explain_names(const struct hp_module *module, char *buf, size_t size)
{
	uint32_t sources = module->index.sources;
	unsigned whole = 0, parts = 0;
	char frames[160] = "";

	if (sources & HP_NAMES_SYMTAB)
		return false;
	count_frames(module, &whole, &parts);
	if (whole || parts)
		snprintf(
			frames, sizeof(frames),
			"; .eh_frame tells of %u more functions, called by address, and of %u parts, which are "
			"sampled only",
			whole, parts);
	snprintf(buf, size, "names of %s come from %s%s%s", module->name,
		 module->debug_path ? module->debug_path : table_of(sources), frames,
		 refused(sources));
	return true;
}
