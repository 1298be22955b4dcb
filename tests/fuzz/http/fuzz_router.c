/*
 * A request from lines: method, path, query, Host, Origin; an empty or missing line is an absent part. What the
 * router does is held against a second, plainer reading of the contract.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "http/router.h"

struct seen {
	bool list, logs, any;
	uint32_t id;
};

static struct seen seen;

static void answer(struct hp_response *response)
{
	hp_response_json(response, 200, strdup("{}"));
}

static void handle_list(void *arg, const struct hp_request *request, uint32_t id,
			struct hp_response *response)
{
	char value[4];

	seen.list = true;
	seen.id = id;
	if (hp_query_get(request->query, "raw", value, sizeof(value)))
		assert(strstr(request->query, "raw=") && strlen(value) < sizeof(value));
	answer(response);
}

static void handle_logs(void *arg, const struct hp_request *request, uint32_t id,
			struct hp_response *response)
{
	seen.logs = true;
	seen.id = id;
	hp_response_error(response, 404, request->path);
}

static void handle_any(void *arg, const struct hp_request *request, uint32_t id,
		       struct hp_response *response)
{
	seen.any = true;
	hp_response_error(response, 405, request->method);
}

static struct hp_router *make_router(void)
{
	struct hp_router *router = NULL;

	if (hp_router_new("profiler.example", &router) < 0 ||
	    hp_router_add(router, "/threads", NULL, handle_list, NULL) < 0 ||
	    hp_router_add(router, "/functions_timing/{id}/logs", NULL, handle_logs, NULL) < 0 ||
	    hp_router_add(router, "/functions_cpu/snapshot", "*", handle_any, NULL) < 0)
		abort();
	return router;
}

/* Contract section 1 once more, on purpose without the router's means. */
static bool is_logs_path(const char *path, uint32_t *ret_id)
{
	static const char prefix[] = "/functions_timing/";
	uint64_t id = 0;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return false;
	path += sizeof(prefix) - 1;
	path += *path == '+';
	if (*path < '0' || *path > '9')
		return false;
	for (; *path >= '0' && *path <= '9'; path++) {
		id = id * 10 + (uint64_t)(*path - '0');
		if (id > UINT32_MAX)
			return false;
	}
	*ret_id = (uint32_t)id;
	return strcmp(path, "/logs") == 0;
}

static char *next_line(char **rest)
{
	char *line = strsep(rest, "\n");

	return line && *line ? line : NULL;
}

static void check_response(const struct hp_response *response)
{
	cJSON *body;

	assert(response->body && strlen(response->body) == response->len);
	assert(strcmp(response->content_type, "application/json") == 0);
	assert(response->status == 200 || response->status == 403 || response->status == 404 ||
	       response->status == 405);
	body = cJSON_ParseWithLength(response->body, response->len);
	assert(cJSON_IsObject(body));
	cJSON_Delete(body);
}

static void check_route(const struct hp_request *request, const struct hp_response *response)
{
	bool get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
	bool list = strcmp(request->path, "/threads") == 0;
	bool any = strcmp(request->path, "/functions_cpu/snapshot") == 0;
	uint32_t id = 0;
	bool logs = is_logs_path(request->path, &id);

	if (response->status == 403) {
		assert(request->host || request->origin);
		assert(!seen.list && !seen.logs && !seen.any);
		return;
	}
	assert(seen.list == (list && get));
	assert(seen.logs == (logs && get));
	assert(seen.any == any);
	if (seen.logs || seen.list)
		assert(seen.id == id);
	if (!list && !logs && !any)
		assert(response->status == 404);
	if ((list || logs) && !get)
		assert(response->status == 405);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hp_router *router; /* read-only after the last route: one serves all runs */
	HP_AUTO_FREE char *text = malloc(size + 1);
	struct hp_response response = {0};
	struct hp_request request = {0};
	char *rest = text;

	if (!router)
		router = make_router();
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	request.method = next_line(&rest) ?: "GET";
	request.path = next_line(&rest) ?: "";
	request.query = next_line(&rest);
	request.host = next_line(&rest);
	request.origin = next_line(&rest);
	request.authorization = next_line(&rest);

	seen = (struct seen){0};
	hp_router_handle(router, &request, &response);
	check_response(&response);
	check_route(&request, &response);
	hp_response_reset(&response);
	return 0;
}
