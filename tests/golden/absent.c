/* Prints "METHOD PATH STATUS BODY" for each line "METHOD PATH" of the input; check_absent.py validates the bodies. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/absent.h"
#include "http/router.h"

static void print_answer(const struct hp_router *router, const char *method, char *path)
{
	struct hp_response response = {0};
	struct hp_request request = {.method = method, .path = strsep(&path, "?"), .query = path};

	hp_router_handle(router, &request, &response);
	printf("%s %s%s%s %d %s\n", method, request.path, request.query ? "?" : "",
	       request.query ? request.query : "", response.status, response.body);
	hp_response_reset(&response);
}

int main(void)
{
	static const double percentiles[] = {50, 95, 99.9};
	const struct hp_absent absent = {
		.start_ns = hp_clock_mono_ns(),
		.percentiles = percentiles,
		.npercentiles = HP_ARRAY_SIZE(percentiles),
	};
	HP_AUTO(hp_router) struct hp_router *router = NULL;
	char method[16], path[128];

	if (hp_router_new(NULL, &router) < 0 || hp_absent_add(router, &absent) < 0)
		return 1;
	while (scanf("%15s %127s", method, path) == 2)
		print_answer(router, method, path);
	return 0;
}
