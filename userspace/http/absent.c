#include "http/absent.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "format/json.h"
#include "http/router.h"

typedef void (*add_members_fn)(struct hp_json *json, const struct hp_absent *absent);

static void add_percentiles(struct hp_json *json, const struct hp_absent *absent)
{
	hp_json_begin_array(json, "percentiles");
	for (unsigned i = 0; i < absent->npercentiles; i++)
		hp_json_f64(json, NULL, absent->percentiles[i]);
	hp_json_end(json);
}

static void add_totals(struct hp_json *json, const struct hp_absent *absent)
{
	hp_json_u64(json, "total_ns", 0);
	hp_json_u64(json, "total_calls", 0);
	add_percentiles(json, absent);
}

static void add_server_totals(struct hp_json *json, const struct hp_absent *absent)
{
	hp_json_u64(json, "total_alloc_bytes", 0);
	add_totals(json, absent);
}

/* An empty list of @array in the shape that all consoles read. */
static void answer_list(const struct hp_absent *absent, const char *array,
			add_members_fn add_members, struct hp_response *response)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	char *body = NULL;
	int r = hp_json_new(&json);

	if (r == 0) {
		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "current_elapsed_ns", hp_clock_mono_ns() - absent->start_ns);
		if (add_members)
			add_members(json, absent);
		hp_json_begin_array(json, array);
		hp_json_end(json);
		hp_json_u64(json, "total_count", 0);
		hp_json_u64(json, "included_count", 0);
		hp_json_end(json);
		r = hp_json_print(json, &body);
	}
	if (r < 0)
		hp_response_error(response, 500, "out of memory");
	else
		hp_response_json(response, 200, body);
}

static void answer_entries(void *arg, const struct hp_request *request, uint32_t id,
			   struct hp_response *response)
{
	answer_list(arg, "entries", NULL, response);
}

static void answer_plain(void *arg, const struct hp_request *request, uint32_t id,
			 struct hp_response *response)
{
	answer_list(arg, "data", NULL, response);
}

static void answer_percentiles(void *arg, const struct hp_request *request, uint32_t id,
			       struct hp_response *response)
{
	answer_list(arg, "data", add_percentiles, response);
}

static void answer_totals(void *arg, const struct hp_request *request, uint32_t id,
			  struct hp_response *response)
{
	answer_list(arg, "data", add_totals, response);
}

static void answer_server(void *arg, const struct hp_request *request, uint32_t id,
			  struct hp_response *response)
{
	answer_list(arg, "data", add_server_totals, response);
}

/* A route that has nothing to give, and why. The table entry is the router's argument. */
struct missing {
	const char *path;
	const char *text;
};

static const struct missing missing[] = {
	{"/tokio_runtime",
	 "Tokio runtime metrics not available - this version of hotpathd does not "
	 "read async runtimes yet"},
	{"/debug/dbg/{id}/logs", "Debug entry not found"},
	{"/debug/val/{id}/logs", "Value entry not found"},
	{"/debug/gauge/{id}/logs", "Gauge entry not found"},
	{"/channels/{id}/logs", "Channel not found"},
	{"/streams/{id}/logs", "Stream not found"},
	{"/futures/{id}/logs", "Future not found"},
	{"/sql/{id}/logs", "SQL query not found"},
	{"/http/{id}/logs", "HTTP endpoint not found"},
	{"/server/{id}/logs", "Server route not found"},
};

static void answer_missing(void *arg, const struct hp_request *request, uint32_t id,
			   struct hp_response *response)
{
	const struct missing *route = arg;

	hp_response_error(response, 404, route->text);
}

static const struct {
	const char *path;
	hp_route_fn fn;
} lists[] = {
	{"/debug", answer_entries},        {"/channels", answer_percentiles},
	{"/streams", answer_plain},        {"/futures", answer_plain},
	{"/rw_locks", answer_percentiles}, {"/mutexes", answer_percentiles},
	{"/sql", answer_totals},           {"/http", answer_totals},
	{"/server", answer_server},        {"/io", answer_percentiles},
};

int hp_absent_add(struct hp_router *router, const struct hp_absent *absent)
{
	int r = 0;

	for (size_t i = 0; i < HP_ARRAY_SIZE(lists) && r == 0; i++)
		r = hp_router_add(router, lists[i].path, NULL, lists[i].fn, (void *)absent);
	for (size_t i = 0; i < HP_ARRAY_SIZE(missing) && r == 0; i++)
		r = hp_router_add(router, missing[i].path, NULL, answer_missing,
				  (void *)&missing[i]);
	return r;
}
