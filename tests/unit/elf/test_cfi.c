/* Whole files: what they are refused for, where their information lies, and the kernel's vdso in our own memory. */
#include "elf/cfi.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "elf/sandbox.h"
#include "unit/elf/image.h"

static void expect_refused(const void *data, size_t size, int code)
{
	HP_AUTO_FD int fd = image_file(data, size);
	struct hp_err err = {0};
	struct hp_cfi cfi;

	assert_int_equal(hp_cfi_load(fd, "name", &cfi, &err), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, "name"));
}

static void test_refused(void **state)
{
	struct image image;

	expect_refused("#!/bin/sh\n", 10, -ENOEXEC);
	expect_refused("", 0, -ENOEXEC);
	image_init(&image);
	image.header.e_machine = EM_AARCH64;
	expect_refused(&image, sizeof(image), -ENOEXEC);
	image_init(&image);
	image.segment[0].p_filesz = UINT64_MAX;
	expect_refused(&image, sizeof(image), -EBADMSG);
	/* An .eh_frame without end. */
	image_init(&image);
	memset(image.text, 0xfe, sizeof(image.text));
	image.section[IMAGE_TEXT].sh_name = image_string(&image, ".eh_frame");
	expect_refused(&image, sizeof(image), -EBADMSG);
}

static void test_nothing(void **state)
{
	HP_AUTO_FD int fd = -1;
	struct image image;
	struct hp_cfi cfi;

	image_init(&image);
	fd = image_file(&image, sizeof(image));
	assert_int_equal(hp_cfi_load(fd, "name", &cfi, NULL), 0);
	assert_int_equal(cfi.pages.len, 0);
	assert_int_equal(cfi.rules.len, 3);
	hp_cfi_deinit(&cfi);
	/* What is no build id is no name for the cache either. */
	assert_int_equal(hp_cfi_load_cached(fd, "name", "../x", &cfi, NULL), 0);
	hp_cfi_deinit(&cfi);
}

static void load(const char *path, struct hp_cfi *ret_cfi)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_err err = {0};

	assert_true(fd >= 0);
	if (hp_cfi_load(fd, path, ret_cfi, &err) < 0)
		fail_msg("%s", err.text);
}

static void expect_same(const struct hp_cfi *left, const struct hp_cfi *right)
{
	assert_int_equal(left->pages.len, right->pages.len);
	assert_int_equal(left->rows.len, right->rows.len);
	assert_int_equal(left->rules.len, right->rules.len);
	assert_memory_equal(left->rows.data, right->rows.data,
			    left->rows.len * sizeof(*left->rows.data));
	assert_memory_equal(left->rules.data, right->rules.data,
			    left->rules.len * sizeof(*left->rules.data));
}

/* The same table, however it is found: without section headers, and of a program in memory. */
static void test_without_sections(void **state)
{
	HP_AUTO_FD int fd = open(HP_BUILD_DIR "/fixtures/calls", O_RDONLY | O_CLOEXEC);
	HP_AUTO_FD int copy_fd = -1;
	HP_AUTO_FREE uint8_t *data = NULL;
	struct hp_cfi whole, bare;
	struct stat stat;
	Elf64_Ehdr *header;

	load(HP_BUILD_DIR "/fixtures/calls", &whole);
	assert_int_equal(fstat(fd, &stat), 0);
	data = malloc((size_t)stat.st_size);
	assert_int_equal(pread(fd, data, (size_t)stat.st_size, 0), stat.st_size);
	header = (Elf64_Ehdr *)data;
	header->e_shoff = 0;
	header->e_shnum = header->e_shstrndx = 0;
	copy_fd = image_file(data, (size_t)stat.st_size);
	assert_int_equal(hp_cfi_load(copy_fd, "bare", &bare, NULL), 0);
	assert_true(whole.pages.len > 0);
	expect_same(&whole, &bare);
	hp_cfi_deinit(&whole);
	hp_cfi_deinit(&bare);
}

/* Compiled without .eh_frame; as the compiler wrote it and compressed. */
static void test_debug_frame(void **state)
{
	char directory[] = "/tmp/hp_cfi.XXXXXX", command[1024], path[64];
	static const char script[] =
		"cd '%s' && echo 'int f(int n) { return n ? f(n - 1) + 1 : 0; } int main(int c, char **v) { return f(c); }' >a.c && "
		"cc -O0 -g -fno-asynchronous-unwind-tables -fno-unwind-tables -nostartfiles -Wl,-e,main a.c -o a && "
		"objcopy -R .eh_frame -R .eh_frame_hdr a plain && objcopy --compress-debug-sections=zlib plain packed";
	struct hp_cfi plain, packed;
	size_t with_rbp = 0;

	assert_non_null(mkdtemp(directory));
	snprintf(command, sizeof(command), script, directory);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/plain", directory);
	load(path, &plain);
	snprintf(path, sizeof(path), "%s/packed", directory);
	load(path, &packed);
	hp_vec_each(row, &plain.rows)
		with_rbp += plain.rules.data[HP_UNWIND_ROW_RULE(*row)].cfa == HP_UNWIND_RBP;
	assert_int_equal(with_rbp, 2); /* one stretch in each function */
	expect_same(&plain, &packed);
	hp_cfi_deinit(&plain);
	hp_cfi_deinit(&packed);
	snprintf(command, sizeof(command), "rm -r '%s'", directory);
	assert_int_equal(system(command), 0);
}

/* Size of the vdso's mapping, which the kernel puts in pages of 4 KiB. */
static size_t vdso_size(unsigned long at)
{
	HP_AUTO_FILE FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start == at)
			return end - start;
	}
	return 0;
}

static uint64_t symbol_of(const uint8_t *image, const char *name)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(image + header->e_shoff);

	for (unsigned i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *syms = (const Elf64_Sym *)(image + sections[i].sh_offset);
		const char *names = (const char *)image + sections[sections[i].sh_link].sh_offset;

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		for (size_t k = 0; k < sections[i].sh_size / sizeof(*syms); k++) {
			if (strcmp(names + syms[k].st_name, name) == 0)
				return syms[k].st_value;
		}
	}
	return 0;
}

static void test_vdso(void **state)
{
	const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	size_t size = image ? vdso_size((unsigned long)image) : 0;
	HP_AUTO_FREE uint8_t *copy = NULL;
	struct hp_unwind_rule rule;
	struct hp_cfi cfi;

	if (!size) {
		print_message("SKIP: this kernel gives us no vdso\n");
		return;
	}
	assert_int_equal(hp_cfi_load_memory(image, size, &cfi), 0);
	/* At the entry of a function lies what a call leaves. */
	rule = hp_cfi_find(&cfi, symbol_of(image, "__vdso_clock_gettime"));
	assert_int_equal(rule.cfa, HP_UNWIND_RSP);
	assert_int_equal(rule.offset, 8);
	assert_int_equal(rule.rbp, HP_UNWIND_RBP_SAME);
	hp_cfi_deinit(&cfi);
	copy = malloc(size);
	for (size_t cut = 0; cut < size;
	     cut += cut < 256 ? 1 : 61) { /* sanitizers see what lies behind it */
		HP_AUTO_FREE uint8_t *part = malloc(cut ? cut : 1);

		memcpy(part, image, cut);
		if (hp_cfi_load_memory(part, cut, &cfi) == 0)
			hp_cfi_deinit(&cfi);
	}
	memcpy(copy, image, size);
	copy[EI_CLASS] = ELFCLASS32;
	assert_int_equal(hp_cfi_load_memory(copy, size, &cfi), -ENOEXEC);
}

/* Shared with the child: 0 = not yet there, 1 = waits, 2 = may end. */
static atomic_int *stage;

static int wait_for_stage(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	const struct timespec tick = {.tv_nsec = 1000000};

	atomic_store(stage, 1);
	for (unsigned i = 0; i < 15000 && atomic_load(stage) == 1; i++)
		nanosleep(&tick, NULL);
	return atomic_load(stage) == 2 ? 0 : -ETIME;
}

static void *read_symbols(void *arg)
{
	const struct hp_sandbox_limits limits = {
		.lane = HP_SANDBOX_SYMBOLS,
		.memory_bytes = 1ull << 30,
		.output_bytes = 1,
		.seconds = 20,
	};
	void *data = NULL;
	size_t size;

	*(int *)arg = hp_sandbox_run(wait_for_stage, 0, -1, &limits, &data, &size);
	free(data);
	return NULL;
}

/* However long the symbols of a large file take. */
static void test_not_behind_symbols(void **state)
{
	HP_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct hp_cfi cfi = {0};
	pthread_t thread;
	int waiting = 1, symbols = 1, r;

	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_true(stage != MAP_FAILED);
	assert_int_equal(hp_sandbox_start(), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_symbols, &symbols), 0);
	while (atomic_load(stage) == 0)
		sched_yield();
	r = hp_cfi_load(fd, "own", &cfi, NULL);
	assert_true(atomic_compare_exchange_strong(stage, &waiting, 2));
	pthread_join(thread, NULL);
	assert_int_equal(r, 0);
	assert_int_equal(symbols, 0);
	hp_cfi_deinit(&cfi);
	munmap(stage, sizeof(*stage));
	hp_sandbox_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_without_sections),
		cmocka_unit_test(test_debug_frame),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_not_behind_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
