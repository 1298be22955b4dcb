#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool shows_info;
static char shown_areas[256];

void hp_log_setup(bool verbose, const char *areas)
{
	shows_info = verbose;
	snprintf(shown_areas, sizeof(shown_areas), "%s", areas ? areas : "");
}

static bool names_area(const char *area)
{
	size_t len = strlen(area);

	for (const char *at = shown_areas; *at; at += strcspn(at, ","), at += *at == ',') {
		size_t part = strcspn(at, ",");

		if ((part == len && memcmp(at, area, len) == 0) ||
		    (part == 3 && memcmp(at, "all", 3) == 0))
			return true;
	}
	return false;
}

bool hp_log_enabled(enum hp_log_level level, const char *area)
{
	return level <= HP_LOG_WARN || (level == HP_LOG_INFO && shows_info) || names_area(area);
}

void hp_log(enum hp_log_level level, const char *area, const char *fmt, ...)
{
	char text[768];
	va_list args;

	if (!hp_log_enabled(level, area))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	hp_utf8_tame(text);
	/* One call: lines of threads do not mix. */
	fprintf(stderr, "hotpathd: %s: %s\n", area, text);
}
