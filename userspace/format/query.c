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
