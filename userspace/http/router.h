#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "format/query.h" /* for handlers */

/*
 * Pure request handling: rules of wire contract section 1 (method, path, Host, Origin, query) and the
 * table of routes. No sockets here: http/server.c feeds it, tests and the fuzzer call it directly.
 * Read-only after the last hp_router_add(); then any thread.
 */
struct hp_request {
	const char *method;          /* "GET" */
	const char *path;            /* raw bytes before '?' */
	const char *query;           /* after '?', NULL if none */
	const char *host;            /* header, NULL if absent */
	const char *origin;          /* header, NULL if absent */
	const char *authorization;   /* header, NULL if absent */
	const char *accept_encoding; /* header, NULL if absent */
};

struct hp_response {
	int status;
	const char *content_type; /* static */
	char *body;               /* malloc'ed, NUL-terminated; hp_response_reset() frees */
	size_t len;
	bool gzip; /* the body is compressed, and to be declared so */
};

void hp_response_reset(struct hp_response *response);
/* Sets {"error":TEXT} (JSON-escaped) with @status. */
void hp_response_error(struct hp_response *response, int status, const char *text);
/* Takes ownership of @body. */
void hp_response_json(struct hp_response *response, int status, char *body);

/* @id: number of the {id} part, 0 if the route has none. Fills *@response. */
typedef void (*hp_route_fn)(void *arg, const struct hp_request *request, uint32_t id,
			    struct hp_response *response);

struct hp_router;

/* @extra_host: a further accepted Host name without port, or NULL. 0 or -ENOMEM. */
int hp_router_new(const char *extra_host, struct hp_router **ret_router);
void hp_router_free(struct hp_router *router);
HP_DEFINE_AUTO(hp_router)

/*
 * @pattern: "/threads" or "/functions_timing/{id}/logs" (at most one {id}, an unsigned 32-bit decimal; section
 * 1: anything else there is an unknown path). @methods: NULL = GET, HEAD (others: 405 {"error":"Method not allowed - use GET"}),
 * "*" = the handler checks request->method. Copied. 0 or -ENOMEM.
 */
int hp_router_add(struct hp_router *router, const char *pattern, const char *methods,
		  hp_route_fn fn, void *arg);
/*
 * Answers @request: 403 for a foreign Host or an Origin that is not ours (one sentence), 404 {"error":"Not found"}, 405, else
 * the handler. Host may be localhost, 127.0.0.1, [::1] or @extra_host, with any port; absent Host is accepted (HTTP/1.0).
 * Origin absent, or http://HOST[:PORT] with one of the same names.
 */
void hp_router_handle(const struct hp_router *router, const struct hp_request *request,
		      struct hp_response *response);
