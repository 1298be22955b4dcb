/* trap:T5: any bytes as an ELF file. What is read must be an index that the daemon accepts. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "elf/demangle.h"
#include "elf/index.h"
#include "elf/symtab.h"

static void check_name(const char *name)
{
	size_t left = strlen(name);

	assert(left < HP_NAME_MAX);
	while (left) {
		size_t step = hp_utf8_sequence(name, left);

		assert(step && (unsigned char)*name >= 0x20);
		name += step;
		left -= step;
	}
}

static bool is_in_segment(const struct hp_index *index, const struct hp_index_sym *sym)
{
	hp_vec_each(segment, &index->segments) {
		if (sym->addr >= segment->vaddr && sym->addr - segment->vaddr < segment->filesz &&
		    sym->size <= segment->filesz - (sym->addr - segment->vaddr))
			return true;
	}
	return false;
}

static void check_index(const struct hp_index *index)
{
	HP_AUTO_FREE void *data = NULL;
	struct hp_index again = {0};
	size_t size;
	int r;

	hp_vec_each(sym, &index->syms) {
		assert(is_in_segment(index, sym));
		assert(sym->name < index->strings.len);
		check_name(index->strings.data + sym->name);
	}
	r = hp_index_write(index, &data, &size);
	assert(r == 0);
	r = hp_index_read(data, size, &again);
	assert(r == 0);
	assert(again.syms.len == index->syms.len && again.segments.len == index->segments.len);
	assert(strcmp(again.build_id, index->build_id) == 0);
	hp_index_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1; /* one file for all runs */
	struct hp_index index = {0};
	int r;

	if (fd < 0)
		fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	r = hp_symtab_read(fd, -1, &index);
	assert(r == 0 || r == -ENOEXEC || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
	if (r == 0)
		check_index(&index);
	hp_index_deinit(&index);
	return 0;
}
