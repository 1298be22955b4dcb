#include "elf/facts.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/reader.h"
#include "elf/aliases.h"
#include "elf/dwarf.h"
#include "elf/gather.h"
#include "elf/sandbox.h"

#define MAGIC 0x31465048u /* "HPF1" */

void hp_facts_deinit(struct hp_facts *facts)
{
	hp_vec_free(&facts->functions);
	hp_vec_free(&facts->code);
	hp_vec_free(&facts->callers);
	hp_vec_free(&facts->aliases);
	hp_vec_free(&facts->strings);
}

void hp_facts_free(struct hp_facts *facts)
{
	if (!facts)
		return;
	hp_facts_deinit(facts);
	free(facts);
}

const char *hp_facts_text(const struct hp_facts *facts, uint32_t offset)
{
	return facts->strings.data + offset;
}

int64_t hp_facts_at(const struct hp_facts *facts, uint64_t addr)
{
	size_t low = 0, high = facts->code.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (facts->code.data[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == facts->code.len || facts->code.data[low].addr != addr)
		return -1;
	return facts->code.data[low].function;
}

void hp_facts_named(const struct hp_facts *facts, const char *name, size_t *ret_first,
		    size_t *ret_end)
{
	size_t low = 0, high = facts->functions.len, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(hp_facts_text(facts, facts->functions.data[middle].name), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < facts->functions.len; end++) {
		if (strcmp(hp_facts_text(facts, facts->functions.data[end].name), name) != 0)
			break;
	}
	*ret_first = low;
	*ret_end = end;
}

void hp_facts_aliases(const struct hp_facts *facts, uint64_t addr, size_t *ret_first,
		      size_t *ret_end)
{
	size_t low = 0, high = facts->aliases.len, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (facts->aliases.data[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < facts->aliases.len && facts->aliases.data[end].addr == addr;)
		end++;
	*ret_first = low;
	*ret_end = end;
}

struct writer {
	uint8_t *data;
	size_t pos;
};

static void put(struct writer *writer, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		writer->data[writer->pos++] = (uint8_t)(value >> (8 * i));
}

static void put_function(struct writer *writer, const struct hp_facts_function *function)
{
	put(writer, function->name, 4);
	put(writer, function->file, 4);
	put(writer, function->line, 4);
	put(writer, function->places, 4);
	put(writer, function->first_caller, 4);
	put(writer, function->ncallers, 4);
	put(writer, function->all_callers, 4);
	put(writer, 0, 4);
}

int hp_facts_write(const struct hp_facts *facts, void **ret_data, size_t *ret_size)
{
	size_t size = 32 + facts->functions.len * 32 + facts->code.len * 16 +
		      facts->callers.len * 8 + facts->aliases.len * 16 + facts->strings.len;
	struct writer writer = {.data = malloc(size)};

	if (!writer.data)
		return -ENOMEM;
	put(&writer, MAGIC, 4);
	put(&writer, facts->flags, 4);
	put(&writer, facts->functions.len, 4);
	put(&writer, facts->code.len, 4);
	put(&writer, facts->callers.len, 4);
	put(&writer, facts->aliases.len, 4);
	put(&writer, facts->strings.len, 4);
	put(&writer, 0, 4);
	hp_vec_each(function, &facts->functions)
		put_function(&writer, function);
	hp_vec_each(code, &facts->code) {
		put(&writer, code->addr, 8);
		put(&writer, code->function, 8);
	}
	hp_vec_each(caller, &facts->callers) {
		put(&writer, caller->function, 4);
		put(&writer, caller->places, 4);
	}
	hp_vec_each(alias, &facts->aliases) {
		put(&writer, alias->addr, 8);
		put(&writer, alias->name, 8);
	}
	if (facts->strings.len)
		memcpy(writer.data + writer.pos, facts->strings.data, facts->strings.len);
	*ret_data = writer.data;
	*ret_size = size;
	return 0;
}

/* How many of each come, from the head. */
struct counts {
	uint32_t functions, code, callers, aliases, strings;
};

static int read_functions(struct hp_reader *reader, const struct counts *counts,
			  struct hp_facts *facts)
{
	if (hp_vec_reserve(&facts->functions, counts->functions) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < counts->functions; i++) {
		struct hp_facts_function function = {
			.name = hp_reader_u32(reader),
			.file = hp_reader_u32(reader),
			.line = hp_reader_u32(reader),
			.places = hp_reader_u32(reader),
			.first_caller = hp_reader_u32(reader),
			.ncallers = hp_reader_u32(reader),
			.all_callers = hp_reader_u32(reader),
		};

		hp_reader_u32(reader);
		if (reader->failed || function.name >= counts->strings ||
		    function.file >= counts->strings || function.first_caller > counts->callers ||
		    function.ncallers > counts->callers - function.first_caller ||
		    function.all_callers < function.ncallers)
			return -EBADMSG;
		facts->functions.data[facts->functions.len++] = function;
	}
	return 0;
}

static int read_code(struct hp_reader *reader, const struct counts *counts, struct hp_facts *facts)
{
	if (hp_vec_reserve(&facts->code, counts->code) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < counts->code; i++) {
		struct hp_facts_code code = {
			.addr = hp_reader_u64(reader),
			.function = hp_reader_u32(reader),
		};

		hp_reader_u32(reader);
		if (reader->failed || code.function >= counts->functions ||
		    (i && code.addr <= facts->code.data[i - 1].addr))
			return -EBADMSG;
		facts->code.data[facts->code.len++] = code;
	}
	return 0;
}

static int read_callers(struct hp_reader *reader, const struct counts *counts,
			struct hp_facts *facts)
{
	if (hp_vec_reserve(&facts->callers, counts->callers) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < counts->callers; i++) {
		struct hp_facts_caller caller = {
			.function = hp_reader_u32(reader),
			.places = hp_reader_u32(reader),
		};

		if (reader->failed || caller.function >= counts->functions)
			return -EBADMSG;
		facts->callers.data[facts->callers.len++] = caller;
	}
	return 0;
}

static int read_aliases(struct hp_reader *reader, const struct counts *counts,
			struct hp_facts *facts)
{
	if (hp_vec_reserve(&facts->aliases, counts->aliases) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < counts->aliases; i++) {
		struct hp_facts_alias alias = {
			.addr = hp_reader_u64(reader),
			.name = hp_reader_u32(reader),
		};

		hp_reader_u32(reader);
		if (reader->failed || alias.name >= counts->strings ||
		    (i && alias.addr < facts->aliases.data[i - 1].addr))
			return -EBADMSG;
		facts->aliases.data[facts->aliases.len++] = alias;
	}
	return 0;
}

static int read_strings(struct hp_reader *reader, const struct counts *counts,
			struct hp_facts *facts)
{
	const char *strings = hp_reader_bytes(reader, counts->strings);

	if (reader->failed || hp_reader_left(reader) || counts->strings == 0 || strings[0] ||
	    strings[counts->strings - 1])
		return -EBADMSG;
	if (hp_vec_reserve(&facts->strings, counts->strings) < 0)
		return -ENOMEM;
	memcpy(facts->strings.data, strings, counts->strings);
	facts->strings.len = counts->strings;
	return 0;
}

static int read_head(struct hp_reader *reader, uint32_t *ret_flags, struct counts *ret_counts)
{
	uint32_t magic = hp_reader_u32(reader), flags = hp_reader_u32(reader);
	struct counts counts = {
		.functions = hp_reader_u32(reader),
		.code = hp_reader_u32(reader),
		.callers = hp_reader_u32(reader),
		.aliases = hp_reader_u32(reader),
		.strings = hp_reader_u32(reader),
	};

	hp_reader_u32(reader);
	if (reader->failed || magic != MAGIC || counts.functions > HP_FACTS_MAX_FUNCTIONS ||
	    counts.code > HP_FACTS_MAX_CODE || counts.callers > HP_FACTS_MAX_CALLERS ||
	    counts.aliases > HP_FACTS_MAX_CODE || counts.strings > HP_FACTS_MAX_STRINGS)
		return -EBADMSG;
	if (hp_reader_left(reader) < counts.functions * 32ull + counts.code * 16ull +
					     counts.callers * 8ull + counts.aliases * 16ull)
		return -EBADMSG; /* before memory is asked for */
	*ret_flags = flags;
	*ret_counts = counts;
	return 0;
}

int hp_facts_read(const void *data, size_t size, struct hp_facts *ret_facts)
{
	struct hp_reader reader = hp_reader_over(data, size);
	struct hp_facts facts = {0};
	struct counts counts;
	int r = read_head(&reader, &facts.flags, &counts);

	if (r < 0)
		return r;
	r = read_functions(&reader, &counts, &facts);
	if (r == 0)
		r = read_code(&reader, &counts, &facts);
	if (r == 0)
		r = read_callers(&reader, &counts, &facts);
	if (r == 0)
		r = read_aliases(&reader, &counts, &facts);
	if (r == 0)
		r = read_strings(&reader, &counts, &facts);
	if (r < 0) {
		hp_facts_deinit(&facts);
		return r;
	}
	*ret_facts = facts;
	return 0;
}

static const struct hp_sandbox_limits limits = {
	.memory_bytes = 2ull << 30,
	.output_bytes = 256ull << 20,
	.seconds = 20,
};

/*
 * In the sandbox child. It opens nothing more: DWARF may name other files (trap:T5), which are the
 * target's choice.
 */
static int parse(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	const struct rlimit none = {0};
	HP_AUTO(hp_gather) struct hp_gather *gather = NULL;
	struct hp_facts facts = {0};
	int r;

	setrlimit(RLIMIT_NOFILE, &none);
	r = hp_gather_new(&gather);
	if (r == 0)
		r = hp_aliases_read(fd, gather);
	if (r == 0)
		r = hp_dwarf_read(fd, HP_DWARF_SECONDS, gather);
	if (r == 0)
		r = hp_gather_finish(gather, &facts);
	if (r == 0)
		r = hp_facts_write(&facts, ret_data, ret_size);
	hp_facts_deinit(&facts);
	return r;
}

int hp_facts_load(int fd, const char *name, struct hp_facts **ret_facts, struct hp_err *err)
{
	HP_AUTO(hp_facts) struct hp_facts *facts = calloc(1, sizeof(*facts));
	HP_AUTO_FREE void *data = NULL;
	size_t size;
	int r = facts ? hp_sandbox_run(parse, fd, -1, &limits, &data, &size) : -ENOMEM;

	if (r == 0)
		r = hp_facts_read(data, size, facts);
	if (r < 0)
		return hp_err_set(err, r, "the debug information of %s is not used: %s", name,
				  hp_err_name(r));
	*ret_facts = HP_TAKE_PTR(facts);
	return 0;
}

void hp_facts_interrupt(void)
{
	hp_sandbox_interrupt(parse);
}
