#include "domains/timeline/timeline_query.h"

#include <errno.h>

#include "base/err.h"
#include "format/query.h"

#define DEFAULT_SECONDS 5

int hp_timeline_query_parse(const char *query, struct hp_timeline_query *ret_query,
			    struct hp_err *err)
{
	struct hp_timeline_query found = {.seconds = DEFAULT_SECONDS};
	char text[8];

	if (hp_query_number(query, "seconds", 1, HP_TIMELINE_MAX_SECONDS, &found.seconds) < 0)
		return hp_err_set(err, -EINVAL, "seconds is a whole number from 1 to %u",
				  HP_TIMELINE_MAX_SECONDS);
	if (hp_query_text(query, "window", text, sizeof(text)) != 0)
		return hp_err_set(err, -EINVAL,
				  "a timeline is recorded from now on and has no window of the "
				  "past: give seconds");
	*ret_query = found;
	return 0;
}
