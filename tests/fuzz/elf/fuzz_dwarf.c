/*
 * trap:T5: a program whose .debug_* sections are anything. What is read must be facts that the daemon accepts. Most
 * mutations go into those sections, since libdw looks at nothing else.
 *
 * libdw 0.188 itself reads past the end of damaged sections (its strlen in dwarf_getsrclines, found here); that is why
 * it lives in the sandbox, and it is not what this test is about.
 */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/aliases.h"
#include "elf/dwarf.h"
#include "elf/facts.h"
#include "elf/gather.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
const char *__asan_default_suppressions(void);

const char *__asan_default_suppressions(void)
{
	return "interceptor_via_lib:libdw.so";
}

/* The @n-th section of debug information, counted around; false: none. */
static bool find_debug(const uint8_t *data, size_t size, unsigned n, size_t *ret_at,
		       size_t *ret_len)
{
	Elf64_Ehdr header;
	Elf64_Shdr names, section;
	unsigned found = 0;

	if (size < sizeof(header))
		return false;
	memcpy(&header, data, sizeof(header));
	if (header.e_shnum == 0 || header.e_shstrndx >= header.e_shnum || header.e_shoff > size ||
	    (size - header.e_shoff) / sizeof(section) < header.e_shnum)
		return false;
	memcpy(&names, data + header.e_shoff + header.e_shstrndx * sizeof(names), sizeof(names));
	for (unsigned i = 0; i < 2u * header.e_shnum; i++) {
		uint64_t name;

		memcpy(&section, data + header.e_shoff + i % header.e_shnum * sizeof(section),
		       sizeof(section));
		name = names.sh_offset + section.sh_name;
		if (name > size || size - name < 7 || memcmp(data + name, ".debug_", 7) != 0 ||
		    section.sh_offset > size || size - section.sh_offset < section.sh_size ||
		    section.sh_size == 0)
			continue;
		*ret_at = section.sh_offset;
		*ret_len = section.sh_size;
		if (found++ == n)
			return true;
	}
	return found > 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t at, len, done;

	if (seed % 8 == 0 || !find_debug(data, size, seed / 8 % 8, &at, &len))
		return LLVMFuzzerMutate(data, size, max_size);
	done = LLVMFuzzerMutate(data + at, len, len);
	memset(data + at + done, 0, len - done);
	return size;
}

static void check_facts(struct hp_gather *gather)
{
	struct hp_facts facts = {0}, again = {0};
	HP_AUTO_FREE void *data = NULL;
	size_t size;
	int r = hp_gather_finish(gather, &facts);

	assert(r == 0);
	r = hp_facts_write(&facts, &data, &size);
	assert(r == 0);
	r = hp_facts_read(data, size, &again);
	assert(r == 0);
	assert(again.functions.len == facts.functions.len && again.code.len == facts.code.len);
	hp_facts_deinit(&again);
	hp_facts_deinit(&facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1; /* one file for all runs */
	HP_AUTO(hp_gather) struct hp_gather *gather = NULL;
	int r;

	if (fd < 0)
		fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	if (hp_gather_new(&gather) < 0)
		return 0;
	r = hp_aliases_read(fd, gather);
	assert(r == 0 || r == -ENOEXEC || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
	if (r == 0) {
		r = hp_dwarf_read(fd, 1, gather);
		assert(r == 0 || r == -ENOEXEC || r == -ENOMEM);
	}
	if (r == 0)
		check_facts(gather);
	return 0;
}
