#include "format/units.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define MICRO "\u00b5s" /* U+00B5, not U+03BC */

static char *duration(char *buf, size_t size, uint64_t ns, int decimals)
{
	if (ns < 1000)
		snprintf(buf, size, "%llu ns", (unsigned long long)ns);
	else if (ns < 1000000)
		snprintf(buf, size, "%.*f " MICRO, decimals, (double)ns / 1000.0);
	else if (ns < 1000000000)
		snprintf(buf, size, "%.*f ms", decimals, (double)ns / 1000000.0);
	else
		snprintf(buf, size, "%.2f s", (double)ns / 1000000000.0);
	return buf;
}

char *hp_units_duration(char *buf, size_t size, uint64_t ns)
{
	return duration(buf, size, ns, 2);
}

char *hp_units_delay(char *buf, size_t size, uint64_t ns)
{
	return duration(buf, size, ns, 1);
}

char *hp_units_bytes(char *buf, size_t size, uint64_t bytes)
{
	static const char *const names[] = {"B", "KB", "MB", "GB", "TB"};
	unsigned unit = 0;

	while (unit + 1 < sizeof(names) / sizeof(names[0]) && bytes >> (10 * (unit + 1)))
		unit++;
	if (unit == 0)
		snprintf(buf, size, "%llu B", (unsigned long long)bytes);
	else
		snprintf(buf, size, "%.1f %s", (double)bytes / (double)(1ull << (10 * unit)),
			 names[unit]);
	return buf;
}

char *hp_units_signed_bytes(char *buf, size_t size, int64_t bytes)
{
	uint64_t magnitude = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
	char text[64];

	snprintf(buf, size, "%s%s", bytes < 0 ? "-" : "",
		 hp_units_bytes(text, sizeof(text), magnitude));
	return buf;
}

char *hp_units_ago(char *buf, size_t size, uint64_t ns)
{
	uint64_t seconds = ns / 1000000000;

	if (seconds == 0)
		snprintf(buf, size, "now");
	else if (seconds < 60)
		snprintf(buf, size, "%llus ago", (unsigned long long)seconds);
	else if (seconds < 3600)
		snprintf(buf, size, "%llum ago", (unsigned long long)(seconds / 60));
	else
		snprintf(buf, size, "%lluh ago", (unsigned long long)(seconds / 3600));
	return buf;
}

char *hp_units_percent(char *buf, size_t size, uint64_t part, uint64_t whole)
{
	snprintf(buf, size, "%.2f%%", whole ? (double)part / (double)whole * 100.0 : 0.0);
	return buf;
}

char *hp_units_percent1(char *buf, size_t size, double percent)
{
	snprintf(buf, size, "%.1f%%", percent);
	return buf;
}

/* Shortest decimal without exponent that reads back to @value. */
static char *shortest(char *buf, size_t size, double value)
{
	char digits[64];
	int precision = 1, decimals;

	if (isnan(value) || isinf(value)) {
		snprintf(buf, size, "%s", isnan(value) ? "NaN" : value < 0 ? "-inf" : "inf");
		return buf;
	}
	for (; precision < 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*e", precision - 1, value);
		if (strtod(digits, NULL) == value)
			break;
	}
	snprintf(digits, sizeof(digits), "%.*e", precision - 1, value);
	decimals = precision - 1 - atoi(strchr(digits, 'e') + 1);
	snprintf(buf, size, "%.*f", decimals > 0 ? decimals : 0, value);
	return buf;
}

char *hp_units_percentile_key(char *buf, size_t size, double p)
{
	char text[HP_UNITS_MAX];

	snprintf(buf, size, "p%s", shortest(text, sizeof(text), p));
	return buf;
}

char *hp_units_gauge(char *buf, size_t size, double value)
{
	return shortest(buf, size, value);
}

/* Start of the last two '/'-separated parts of [text, end). */
static const char *last_two_parts(const char *text, const char *end)
{
	int slashes = 0;

	for (const char *at = end; at > text; at--) {
		if (at[-1] == '/' && ++slashes == 2)
			return at;
	}
	return text;
}

char *hp_units_label(char *buf, size_t size, const char *source, const char *custom, uint32_t iter)
{
	const char *colon = strrchr(source, ':');
	const char *base = custom;
	char suffix[16] = "";

	if (!base)
		base = last_two_parts(source, colon ? colon : source + strlen(source));
	if (iter > 0)
		snprintf(suffix, sizeof(suffix), "-%llu", (unsigned long long)iter + 1);
	snprintf(buf, size, "%s%s", base, suffix);
	return buf;
}

char *hp_units_source_display(char *buf, size_t size, const char *source)
{
	const char *colon = strchr(source, ':');

	snprintf(buf, size, "%s", last_two_parts(source, colon ? colon : source + strlen(source)));
	return buf;
}

#define VALUE_WHOLE 1533

char *hp_units_value(char *buf, size_t size, const char *text)
{
	size_t left = strlen(text), used = 0;
	bool cut = left > VALUE_WHOLE;
	size_t room = VALUE_WHOLE;

	if (size < 4) {
		if (size)
			buf[0] = '\0';
		return buf;
	}
	room = room > size - 4 ? size - 4 : room;
	while (left) {
		size_t step = hp_utf8_sequence(text, left);
		const char *bytes = step ? text : "\ufffd";
		size_t n = step ? step : 3;

		if (used + n > room) {
			cut = true;
			break;
		}
		memcpy(buf + used, bytes, n);
		used += n;
		text += step ? step : 1;
		left -= step ? step : 1;
	}
	snprintf(buf + used, size - used, "%s", cut ? "..." : "");
	return buf;
}
