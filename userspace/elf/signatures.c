#include "elf/signatures.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/reader.h"
#include "elf/dwarf_signatures.h"
#include "elf/sandbox.h"

#define MAGIC       0x31475348u /* "HSG1" */
#define HEAD_BYTES  16
#define VALUE_BYTES 6
#define ENTRY_BYTES (12 + (HP_SIGNATURE_PARAMS + 1) * VALUE_BYTES)

/* Of the reading, below the sandbox's own limit, so that what was found is not lost. */
#define SECONDS 8

void hp_signatures_deinit(struct hp_signatures *signatures)
{
	hp_vec_free(&signatures->list);
}

void hp_signatures_free(struct hp_signatures *signatures)
{
	if (!signatures)
		return;
	hp_signatures_deinit(signatures);
	free(signatures);
}

const struct hp_signature *hp_signatures_at(const struct hp_signatures *signatures, uint64_t addr)
{
	size_t low = 0, high = signatures->list.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (signatures->list.data[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < signatures->list.len && signatures->list.data[low].addr == addr
		       ? &signatures->list.data[low].signature
		       : NULL;
}

static void put(uint8_t **at, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(*at)++ = (uint8_t)(value >> (8 * i));
}

static void put_value(uint8_t **at, const struct hp_value *value)
{
	put(at, value->type, 1);
	put(at, value->bytes, 1);
	put(at, value->word, 1);
	put(at, value->length, 1);
	put(at, value->gap, 1);
	put(at, value->text, 1);
}

int hp_signatures_write(const struct hp_signatures *signatures, void **ret_data, size_t *ret_size)
{
	size_t size = HEAD_BYTES + signatures->list.len * ENTRY_BYTES;
	uint8_t *data = malloc(size), *at = data;

	if (!data)
		return -ENOMEM;
	put(&at, MAGIC, 4);
	put(&at, signatures->flags, 4);
	put(&at, signatures->list.len, 4);
	put(&at, 0, 4);
	hp_vec_each(entry, &signatures->list) {
		put(&at, entry->addr, 8);
		put(&at, entry->signature.nparams, 1);
		put(&at, entry->signature.more, 1);
		put(&at, entry->signature.has_result, 1);
		put(&at, 0, 1);
		for (size_t i = 0; i < HP_SIGNATURE_PARAMS; i++)
			put_value(&at, &entry->signature.params[i]);
		put_value(&at, &entry->signature.result);
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
}

static struct hp_value read_value(struct hp_reader *reader)
{
	struct hp_value value = {.type = hp_reader_u8(reader)};

	value.bytes = hp_reader_u8(reader);
	value.word = hp_reader_u8(reader);
	value.length = hp_reader_u8(reader);
	value.gap = hp_reader_u8(reader);
	value.text = hp_reader_u8(reader);
	return value;
}

static int read_entry(struct hp_reader *reader, struct hp_signatures *signatures)
{
	struct hp_signature_at entry = {.addr = hp_reader_u64(reader)};
	struct hp_signature *signature = &entry.signature;
	size_t len = signatures->list.len;

	signature->nparams = hp_reader_u8(reader);
	signature->more = hp_reader_u8(reader) != 0;
	signature->has_result = hp_reader_u8(reader) != 0;
	hp_reader_u8(reader);
	for (size_t i = 0; i < HP_SIGNATURE_PARAMS; i++)
		signature->params[i] = read_value(reader);
	signature->result = read_value(reader);
	if (reader->failed || !hp_signature_valid(signature) ||
	    (len && entry.addr <= signatures->list.data[len - 1].addr))
		return -EBADMSG;
	return hp_vec_push(&signatures->list, entry);
}

int hp_signatures_read(const void *data, size_t size, struct hp_signatures *ret_signatures)
{
	struct hp_reader reader = hp_reader_over(data, size);
	uint32_t magic = hp_reader_u32(&reader);
	struct hp_signatures signatures = {.flags = hp_reader_u32(&reader)};
	uint32_t n = hp_reader_u32(&reader);
	int r = 0;

	hp_reader_u32(&reader);
	if (reader.failed || magic != MAGIC || n > HP_SIGNATURES_MAX ||
	    hp_reader_left(&reader) != (size_t)n * ENTRY_BYTES)
		return -EBADMSG;
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = read_entry(&reader, &signatures);
	if (r < 0) {
		hp_signatures_deinit(&signatures);
		return r;
	}
	*ret_signatures = signatures;
	return 0;
}

static const struct hp_sandbox_limits limits = {
	.memory_bytes = 2ull << 30,
	.output_bytes = HEAD_BYTES + (uint64_t)HP_SIGNATURES_MAX * ENTRY_BYTES,
	.seconds = 20,
};

/* In the sandbox child, which opens nothing more (trap:T5). @wants_fd holds the wanted functions. */
static int parse(int fd, int wants_fd, void **ret_data, size_t *ret_size)
{
	const struct rlimit none = {0};
	struct hp_signatures signatures = {0};
	HP_AUTO_FREE struct hp_signature_want *wants = NULL;
	struct stat stat;
	int r;

	setrlimit(RLIMIT_NOFILE, &none);
	if (fstat(wants_fd, &stat) < 0)
		return -errno;
	wants = malloc((size_t)stat.st_size + 1);
	if (!wants)
		return -ENOMEM;
	if (pread(wants_fd, wants, (size_t)stat.st_size, 0) != stat.st_size)
		return -EIO;
	r = hp_dwarf_signatures(fd, SECONDS, wants, (size_t)stat.st_size / sizeof(*wants),
				&signatures);
	if (r == 0)
		r = hp_signatures_write(&signatures, ret_data, ret_size);
	hp_signatures_deinit(&signatures);
	return r;
}

static int write_wants(const struct hp_signature_want *wants, size_t n)
{
	HP_AUTO_FD int fd = memfd_create("wants", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (pwrite(fd, wants, n * sizeof(*wants), 0) != (ssize_t)(n * sizeof(*wants)))
		return -EIO;
	return HP_TAKE_FD(fd);
}

int hp_signatures_load(int fd, const char *name, const struct hp_signature_want *wants, size_t n,
		       struct hp_signatures **ret_signatures, struct hp_err *err)
{
	HP_AUTO(hp_signatures) struct hp_signatures *signatures = calloc(1, sizeof(*signatures));
	HP_AUTO_FREE void *data = NULL;
	HP_AUTO_FD int wants_fd = -1;
	size_t size;
	int r = signatures ? 0 : -ENOMEM;

	if (n > HP_SIGNATURES_MAX)
		n = HP_SIGNATURES_MAX;
	if (r == 0)
		r = wants_fd = write_wants(wants, n);
	if (r >= 0)
		r = hp_sandbox_run(parse, fd, wants_fd, &limits, &data, &size);
	if (r == 0)
		r = hp_signatures_read(data, size, signatures);
	if (r < 0)
		return hp_err_set(err, r, "the debug information of %s cannot be read: %s", name,
				  hp_err_name(r));
	*ret_signatures = HP_TAKE_PTR(signatures);
	return 0;
}
