#include "http/router.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/vec.h"
#include "format/json.h"

struct route {
	char *pattern;
	bool any_method;
	hp_route_fn fn;
	void *arg;
};

struct hp_router {
	char *extra_host;
	HP_VEC(struct route) routes;
};

void hp_response_reset(struct hp_response *response)
{
	free(response->body);
	memset(response, 0, sizeof(*response));
}

void hp_response_json(struct hp_response *response, int status, char *body)
{
	free(response->body);
	*response = (struct hp_response){
		.status = status,
		.content_type = "application/json",
		.body = body,
		.len = body ? strlen(body) : 0,
	};
}

void hp_response_error(struct hp_response *response, int status, const char *text)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	char *body = NULL;

	if (hp_json_new(&json) == 0) {
		hp_json_begin_object(json, NULL);
		hp_json_str(json, "error", text);
		hp_json_end(json);
		hp_json_print(json, &body);
	}
	/* Out of memory: the status still tells. */
	hp_response_json(response, status, body ? body : strdup("{}"));
}

int hp_router_new(const char *extra_host, struct hp_router **ret_router)
{
	HP_AUTO(hp_router) struct hp_router *router = calloc(1, sizeof(*router));

	if (!router)
		return -ENOMEM;
	if (extra_host) {
		router->extra_host = strdup(extra_host);
		if (!router->extra_host)
			return -ENOMEM;
	}
	*ret_router = HP_TAKE_PTR(router);
	return 0;
}

void hp_router_free(struct hp_router *router)
{
	if (!router)
		return;
	hp_vec_each(route, &router->routes)
		free(route->pattern);
	hp_vec_free(&router->routes);
	free(router->extra_host);
	free(router);
}

int hp_router_add(struct hp_router *router, const char *pattern, const char *methods,
		  hp_route_fn fn, void *arg)
{
	struct route route = {
		.pattern = strdup(pattern),
		.any_method = methods != NULL,
		.fn = fn,
		.arg = arg,
	};
	int r;

	if (!route.pattern)
		return -ENOMEM;
	r = hp_vec_push(&router->routes, route);
	if (r < 0)
		free(route.pattern);
	return r;
}

/* Unsigned 32-bit decimal; the reference takes a leading '+' and leading zeros, too. */
static bool parse_id(const char **at, uint32_t *ret_id)
{
	const char *digit = *at;
	uint64_t value = 0;

	if (*digit == '+')
		digit++;
	if (*digit < '0' || *digit > '9')
		return false;
	for (; *digit >= '0' && *digit <= '9'; digit++) {
		value = value * 10 + (uint64_t)(*digit - '0');
		if (value > UINT32_MAX)
			return false;
	}
	*at = digit;
	*ret_id = (uint32_t)value;
	return true;
}

static bool matches(const char *pattern, const char *path, uint32_t *ret_id)
{
	const char *hole = strstr(pattern, "{id}");
	size_t head;

	*ret_id = 0;
	if (!hole)
		return strcmp(pattern, path) == 0;
	head = (size_t)(hole - pattern);
	if (strncmp(pattern, path, head) != 0)
		return false;
	path += head;
	return parse_id(&path, ret_id) && strcmp(path, hole + strlen("{id}")) == 0;
}

/* "" or ":" and digits. */
static bool is_port(const char *text)
{
	if (*text == '\0')
		return true;
	return *text == ':' && text[1] && text[1 + strspn(text + 1, "0123456789")] == '\0';
}

/* Against DNS rebinding: a page of another origin reaches us under another name. */
static bool is_our_host(const struct hp_router *router, const char *host)
{
	const char *const names[] = {"localhost", "127.0.0.1", "[::1]", router->extra_host};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		size_t len = names[i] ? strlen(names[i]) : 0;

		if (names[i] && strncasecmp(names[i], host, len) == 0 && is_port(host + len))
			return true;
	}
	return false;
}

static bool is_our_origin(const struct hp_router *router, const char *origin)
{
	return strncmp(origin, "http://", 7) == 0 && is_our_host(router, origin + 7);
}

static bool is_read(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

void hp_router_handle(const struct hp_router *router, const struct hp_request *request,
		      struct hp_response *response)
{
	uint32_t id;

	if (request->host && !is_our_host(router, request->host)) {
		hp_response_error(response, 403, "Host is not this machine: ask for localhost");
		return;
	}
	if (request->origin && !is_our_origin(router, request->origin)) {
		hp_response_error(response, 403,
				  "pages of other origins may not read this profiler");
		return;
	}
	hp_vec_each(route, &router->routes) {
		if (!matches(route->pattern, request->path, &id))
			continue;
		if (route->any_method || is_read(request->method))
			route->fn(route->arg, request, id, response);
		else
			hp_response_error(response, 405, "Method not allowed - use GET");
		return;
	}
	hp_response_error(response, 404, "Not found");
}
