#include "format/query.h"

#include <errno.h>
#include <string.h>

bool hp_query_get(const char *query, const char *name, char *ret_value, size_t size)
{
	size_t name_len = strlen(name);

	while (query && *query) {
		size_t len = strcspn(query, "&");

		if (len > name_len && strncmp(query, name, name_len) == 0 &&
		    query[name_len] == '=') {
			size_t value_len = len - name_len - 1;

			if (value_len >= size)
				value_len = size - 1;
			memcpy(ret_value, query + name_len + 1, value_len);
			ret_value[value_len] = '\0';
			return true;
		}
		query += len;
		query += *query == '&';
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hp_query_text(const char *query, const char *name, char *ret_value, size_t size)
{
	char coded[1024];
	size_t len = 0;

	if (!hp_query_get(query, name, coded, sizeof(coded)))
		return 0;
	if (strlen(coded) == sizeof(coded) - 1)
		return -EINVAL; /* cut */
	for (const char *at = coded; *at; at++) {
		char c = *at;

		if (c == '%') {
			int high = hex_digit(at[1]);
			int low = high < 0 ? -1 : hex_digit(at[2]);

			if (low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			at += 2;
		}
		if (c == '\0' || len + 1 >= size)
			return -EINVAL;
		ret_value[len++] = c;
	}
	ret_value[len] = '\0';
	return 1;
}

int hp_query_choice(const char *query, const char *name, const char *const *table, unsigned n,
		    unsigned *ret_place)
{
	char text[32];
	int r = hp_query_text(query, name, text, sizeof(text));

	if (r <= 0)
		return r;
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(text, table[i]) == 0) {
			*ret_place = i;
			return 1;
		}
	}
	return -EINVAL;
}

/* Decimal digits at *@at, of at most @max. */
static bool digits(const char **at, uint32_t max, uint32_t *ret_value)
{
	uint64_t value = 0;
	const char *digit = *at;

	for (; *digit >= '0' && *digit <= '9'; digit++) {
		value = value * 10 + (uint64_t)(*digit - '0');
		if (value > max)
			return false;
	}
	if (digit == *at)
		return false;
	*at = digit;
	*ret_value = (uint32_t)value;
	return true;
}

int hp_query_number(const char *query, const char *name, uint32_t min, uint32_t max,
		    uint32_t *ret_value)
{
	char text[16];
	const char *at = text;
	uint32_t value = 0;
	int r = hp_query_text(query, name, text, sizeof(text));

	if (r <= 0)
		return r;
	if (!digits(&at, max, &value) || *at || value < min)
		return -EINVAL;
	*ret_value = value;
	return 1;
}

int hp_query_span(const char *query, const char *name, uint32_t max, struct hp_query_span *ret_span)
{
	char text[32];
	const char *at = text;
	uint32_t a = 0, b = 0;
	int r = hp_query_text(query, name, text, sizeof(text));

	if (r <= 0)
		return r;
	if (!digits(&at, max, &a))
		return -EINVAL;
	if (*at) {
		if (*at == '-')
			at++;
		else if (strncmp(at, "..", 2) == 0)
			at += 2;
		else
			return -EINVAL;
		if (!digits(&at, max, &b) || *at)
			return -EINVAL;
	}
	if (a == b)
		return -EINVAL;
	*ret_span = (struct hp_query_span){.from_sec = a > b ? a : b, .to_sec = a > b ? b : a};
	return 1;
}
