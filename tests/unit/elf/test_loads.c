/* Program headers and build ids: of this program against the loader and readelf, of a small file, and what is refused. */
#include "elf/loads.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

struct elf {
	Elf64_Ehdr header;
	Elf64_Phdr segment[3];
	Elf64_Nhdr note[2];
	uint8_t bytes[40];
};

/* Two segments of code, the second one not at the start of a page, and two notes, the second one a build id. */
static struct elf small(void)
{
	struct elf elf = {
		.header = {.e_ident = ELFMAG,
			   .e_machine = EM_X86_64,
			   .e_phoff = offsetof(struct elf, segment),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 3},
		.segment = {{.p_type = PT_LOAD,
			     .p_flags = PF_R | PF_X,
			     .p_offset = 0x1000,
			     .p_vaddr = 0x401000,
			     .p_filesz = 0x800},
			    {.p_type = PT_LOAD,
			     .p_flags = PF_X,
			     .p_offset = 0x1a40,
			     .p_vaddr = 0x603a40,
			     .p_filesz = 0x100},
			    {.p_type = PT_NOTE,
			     .p_offset = offsetof(struct elf, note),
			     .p_align = 4}},
	};

	elf.header.e_ident[EI_CLASS] = ELFCLASS64;
	elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
	elf.note[0] = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 3, .n_type = NT_GNU_BUILD_ID};
	/* That one has another owner; note[1] is its name and what it says. */
	memcpy(&elf.note[1], "Xen\0\1\2\3\0", 8);
	memcpy((uint8_t *)&elf.note[1] + 8,
	       &(Elf64_Nhdr){.n_namesz = 4, .n_descsz = 5, .n_type = NT_GNU_BUILD_ID}, 12);
	memcpy((uint8_t *)&elf.note[1] + 20, "GNU\0\xab\xcd\x01\x00\xff", 9);
	elf.segment[2].p_filesz = sizeof(elf.note) + 20;
	return elf;
}

static int read_bytes(const void *bytes, size_t size, struct hp_loads *ret_loads)
{
	HP_AUTO_FD int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_int_equal(write(fd, bytes, size), size);
	return hp_loads_read(fd, ret_loads);
}

static void test_small(void **state)
{
	struct elf elf = small();
	struct hp_loads loads;
	uint64_t vaddr = 7, low, high;

	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), 0);
	assert_string_equal(loads.build_id, "abcd0100ff");
	assert_int_equal(loads.ncode, 2);
	assert_int_equal(loads.code[1].vaddr, 0x603a40);
	assert_int_equal(loads.code[1].offset, 0x1a40);
	assert_int_equal(loads.code[1].filesz, 0x100);
	/* Mappings begin at pages: the one of the second segment with what is not its own. */
	assert_true(hp_loads_vaddr(&loads, 0x1000, &vaddr));
	assert_int_equal(vaddr, 0x401000);
	assert_true(hp_loads_vaddr(&loads, 0x1800, &vaddr));
	assert_int_equal(vaddr, 0x603800);
	assert_true(hp_loads_vaddr(&loads, 0x1b3f, &vaddr));
	assert_int_equal(vaddr, 0x603b3f);
	assert_false(hp_loads_vaddr(&loads, 0x1b40, &vaddr));
	assert_false(hp_loads_vaddr(&loads, 0xfff, &vaddr));
	hp_loads_range(&loads, &low, &high);
	assert_int_equal(low, 0x401000);
	assert_int_equal(high, 0x603b3f);
}

static void test_refused(void **state)
{
	struct hp_loads loads = {.ncode = 99};
	struct elf elf = small();

	assert_int_equal(read_bytes("", 0, &loads), -ENOEXEC);
	assert_int_equal(read_bytes(&elf, sizeof(elf.header) - 1, &loads), -ENOEXEC);
	assert_int_equal(read_bytes(&elf, sizeof(elf.header) + 60, &loads), -EBADMSG);
	elf.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), -ENOEXEC);
	elf = small();
	elf.header.e_machine = EM_AARCH64;
	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), -ENOEXEC);
	elf = small();
	elf.header.e_phnum = 257;
	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), -EBADMSG);
	elf = small();
	elf.header.e_phoff = UINT64_MAX - 8;
	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), -EBADMSG);
	/* Ends beyond the end of the address space. */
	elf = small();
	elf.segment[0].p_filesz = elf.segment[1].p_filesz = UINT64_MAX;
	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), -EBADMSG);
	assert_int_equal(loads.ncode, 99);
}

static void test_notes_cut(void **state)
{
	struct elf elf = small();
	struct hp_loads loads;

	elf.note[0].n_namesz = UINT32_MAX;
	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), 0);
	assert_string_equal(loads.build_id, "");
	elf = small();
	elf.segment[2].p_offset = UINT64_MAX;
	assert_int_equal(read_bytes(&elf, sizeof(elf), &loads), 0);
	assert_string_equal(loads.build_id, "");
}

static int is_code_of(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct hp_loads *loads = arg;
	size_t n = 0;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *header = &info->dlpi_phdr[i];

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
			continue;
		assert_int_equal(loads->code[n].vaddr, header->p_vaddr);
		assert_int_equal(loads->code[n].filesz, header->p_filesz);
		n++;
	}
	assert_int_equal(loads->ncode, n);
	return 1; /* the first one is the program */
}

static void test_own(void **state)
{
	HP_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char command[64], expected[HP_LOADS_BUILD_ID_MAX] = "";
	struct hp_loads loads;
	FILE *pipe;

	assert_int_equal(hp_loads_read(fd, &loads), 0);
	assert_int_equal(dl_iterate_phdr(is_code_of, &loads), 1);
	snprintf(command, sizeof(command), "readelf -n /proc/%d/exe | sed -n 's/.*Build ID: //p'",
		 getpid());
	pipe = popen(command, "re");
	assert_non_null(pipe);
	if (!fgets(expected, sizeof(expected), pipe))
		expected[0] = '\0';
	pclose(pipe);
	expected[strcspn(expected, "\n")] = '\0';
	assert_string_equal(loads.build_id, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_notes_cut),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
