#include "target/perfmap.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/intern.h"
#include "base/utf8.h"
#include "elf/demangle.h"
#include "target/codemap.h"

struct hp_perfmap {
	struct hp_codemap *code; /* by id of the name */
	struct hp_intern *names;
	uint64_t name_bytes, lines, bad_lines;
};

int hp_perfmap_new(struct hp_perfmap **ret_map)
{
	HP_AUTO(hp_perfmap) struct hp_perfmap *map = calloc(1, sizeof(*map));
	int r;

	if (!map)
		return -ENOMEM;
	r = hp_codemap_new(&map->code);
	if (r == 0)
		r = hp_intern_new(&map->names);
	if (r < 0)
		return r;
	*ret_map = HP_TAKE_PTR(map);
	return 0;
}

void hp_perfmap_free(struct hp_perfmap *map)
{
	if (!map)
		return;
	hp_codemap_free(map->code);
	hp_intern_free(map->names);
	free(map);
}

/* A number and the blank behind it. Some writers put 0x in front. */
static bool take_hex(const char **at, const char *end, uint64_t *ret_value)
{
	const char *digit = *at;
	uint64_t value = 0;
	int ndigits = 0;

	if (end - digit > 2 && digit[0] == '0' && (digit[1] == 'x' || digit[1] == 'X'))
		digit += 2;
	for (; digit < end && *digit != ' '; digit++, ndigits++) {
		char lower = (char)(*digit | 0x20);
		int n = *digit >= '0' && *digit <= '9' ? *digit - '0'
			: lower >= 'a' && lower <= 'f' ? lower - 'a' + 10
						       : -1;

		if (n < 0 || ndigits == 16)
			return false;
		value = value << 4 | (uint64_t)n;
	}
	if (ndigits == 0 || digit == end)
		return false;
	*at = digit + 1;
	*ret_value = value;
	return true;
}

static int add_name(struct hp_perfmap *map, const char *text, size_t len, uint32_t *ret_id)
{
	char name[HP_NAME_MAX];
	int r;

	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, text, len);
	name[len] = '\0';
	len = strlen(name); /* a NUL ends it */
	hp_utf8_tame(name);
	if (map->name_bytes + len > HP_PERFMAP_MAX_NAMES)
		return -E2BIG;
	r = hp_intern_add(map->names, name, len, ret_id);
	if (r == 0)
		map->name_bytes += len;
	return r < 0 ? r : 0;
}

static int take_line(struct hp_perfmap *map, const char *at, const char *end)
{
	uint64_t start, size;
	uint32_t id;
	int r;

	if (end > at && end[-1] == '\r')
		end--;
	if (!take_hex(&at, end, &start) || !take_hex(&at, end, &size) || at == end || !*at) {
		map->bad_lines++;
		return 0;
	}
	if (map->lines == HP_PERFMAP_MAX_LINES)
		return -E2BIG;
	map->lines++;
	if (size == 0)
		return 0; /* some mark the end of their code so */
	r = add_name(map, at, (size_t)(end - at), &id);
	if (r == 0)
		r = hp_codemap_add(map->code, start, size, id);
	if (r == -EINVAL) {
		map->bad_lines++;
		r = 0;
	}
	return r;
}

int hp_perfmap_feed(struct hp_perfmap *map, const char *text, size_t len, size_t *ret_taken)
{
	const char *at = text, *end = text + len, *stop;
	int r = 0;

	while (r == 0 && at < end && (stop = memchr(at, '\n', (size_t)(end - at)))) {
		r = take_line(map, at, stop);
		at = stop + 1;
	}
	if (r < 0)
		return r;
	if (at == text && len >= HP_PERFMAP_WINDOW) {
		map->bad_lines++;
		at = end;
	}
	*ret_taken = (size_t)(at - text);
	return 0;
}

const char *hp_perfmap_find(const struct hp_perfmap *map, uint64_t addr)
{
	uint32_t id;

	return hp_codemap_find(map->code, addr, &id) ? hp_intern_text(map->names, id) : NULL;
}

uint64_t hp_perfmap_bad_lines(const struct hp_perfmap *map)
{
	return map->bad_lines;
}
