#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "target/proc.h"

#define MAX_LINES 1000000
#define MAX_TEXT  (512u << 20)

static bool take_hex(const char **at, const char *end, char after, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *digit = *at;

	for (; digit < end && *digit != after; digit++) {
		int n = *digit >= '0' && *digit <= '9'   ? *digit - '0'
			: *digit >= 'a' && *digit <= 'f' ? *digit - 'a' + 10
							 : -1;

		if (n < 0 || digit - *at >= 16)
			return false;
		value = value << 4 | (uint64_t)n;
	}
	if (digit == *at || digit == end)
		return false;
	*at = digit + 1;
	*ret_value = value;
	return true;
}

static bool take_decimal(const char **at, const char *end, uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *digit = *at;

	for (; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
		/* Inode numbers use all 64 bits on file systems that hash them. */
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
			return false;
	}
	if (digit == *at)
		return false;
	*at = digit;
	*ret_value = value;
	return true;
}

/* "start-end perms offset major:minor inode          path" */
static int parse_line(const char *at, const char *end, struct hp_mapping *mapping)
{
	static const char deleted[] = " (deleted)";
	uint64_t major, minor;
	const char *perms;
	size_t len;

	if (!take_hex(&at, end, '-', &mapping->start) || !take_hex(&at, end, ' ', &mapping->end) ||
	    mapping->start >= mapping->end || end - at < 5 || at[4] != ' ')
		return -EBADMSG;
	perms = at;
	at += 5;
	if (!take_hex(&at, end, ' ', &mapping->offset) || !take_hex(&at, end, ':', &major) ||
	    !take_hex(&at, end, ' ', &minor) || !take_decimal(&at, end, &mapping->inode))
		return -EBADMSG;
	mapping->write = perms[1] == 'w';
	mapping->exec = perms[2] == 'x';
	mapping->dev_major = (uint32_t)major;
	mapping->dev_minor = (uint32_t)minor;
	while (at < end && *at == ' ')
		at++;
	len = (size_t)(end - at);
	if (len > strlen(deleted) && memcmp(end - strlen(deleted), deleted, strlen(deleted)) == 0) {
		mapping->deleted = true;
		len -= strlen(deleted);
	}
	mapping->path = strndup(at, len);
	return mapping->path ? 0 : -ENOMEM;
}

void hp_maps_free(struct hp_maps *maps)
{
	if (!maps)
		return;
	for (size_t i = 0; i < maps->len; i++)
		free(maps->data[i].path);
	free(maps->data);
	free(maps);
}

int hp_maps_parse(const char *text, size_t len, struct hp_maps **ret_maps)
{
	HP_AUTO(hp_maps) struct hp_maps *maps = calloc(1, sizeof(*maps));
	const char *end = text + len;
	size_t cap = 0;

	if (!maps)
		return -ENOMEM;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct hp_mapping mapping = {0};
		int r;

		stop = stop ? stop : end;
		r = hp_vec_grow_((void **)&maps->data, &cap, sizeof(mapping), maps->len + 1);
		if (r == 0)
			r = maps->len == MAX_LINES ? -E2BIG : parse_line(text, stop, &mapping);
		if (r < 0)
			return r;
		if (maps->len && mapping.start < maps->data[maps->len - 1].end) {
			free(mapping.path);
			return -EBADMSG; /* the kernel lists them in order */
		}
		maps->data[maps->len++] = mapping;
		text = stop + 1;
	}
	*ret_maps = HP_TAKE_PTR(maps);
	return 0;
}

int hp_maps_read(pid_t pid, struct hp_maps **ret_maps)
{
	HP_AUTO_FREE char *text = NULL;
	char path[64];
	size_t len;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	r = hp_proc_read_file(path, MAX_TEXT, &text, &len);
	return r < 0 ? r : hp_maps_parse(text, len, ret_maps);
}

const struct hp_mapping *hp_maps_find(const struct hp_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->data[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr < maps->data[low - 1].end ? &maps->data[low - 1] : NULL;
}
