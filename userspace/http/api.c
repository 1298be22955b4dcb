#include "http/api.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "domains/domains.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/gzip.h"
#include "format/json.h"
#include "format/units.h"
#include "http/absent.h"
#include "http/router.h"

/* One route of one domain, as the router's argument. */
struct binding {
	struct hp_api *api;
	const struct hp_view *view;
	enum hp_domain_id domain;
};

#define MAX_BINDINGS 32

struct hp_api {
	struct hp_engine *engine;
	const struct hp_settings *settings;
	struct hp_absent absent;
	struct binding bindings[MAX_BINDINGS];
	size_t nbindings;
};

const char *const hp_api_lists[] = {
	"/profiler_status",
	"/functions_timing",
	"/functions_alloc",
	"/functions_cpu",
	"/threads",
	"/debug",
	"/channels",
	"/streams",
	"/futures",
	"/rw_locks",
	"/mutexes",
	"/tokio_runtime",
	"/sql",
	"/http",
	"/server",
	"/io",
	NULL,
};

static const char *const state_names[] = {
	[HP_STATE_ATTACHING] = "attaching",
	[HP_STATE_READY] = "ready",
	[HP_STATE_EXITED] = "exited",
	[HP_STATE_STOPPING] = "stopping",
};

/* What one does not see while a domain is off, and how to turn it on. */
static const char *const off_texts[HP_NDOMAINS] = {
	[HP_DOMAIN_threads] = "Thread monitoring not available",
	[HP_DOMAIN_cpu] = "CPU profiling not available",
	[HP_DOMAIN_functions] = "Function timing not available",
	[HP_DOMAIN_offcpu] = "Off-CPU times not available",
	[HP_DOMAIN_timeline] = "Timelines not available",
	[HP_DOMAIN_alloc] = "Memory profiling not available",
};

static bool wants(const struct hp_request *request, const char *name)
{
	char value[8];

	return hp_query_get(request->query, name, value, sizeof(value)) && strcmp(value, "1") == 0;
}

static void finish(struct hp_json *json, int status, int r, struct hp_response *response)
{
	char *text = NULL;

	if (r == 0)
		r = hp_json_print(json, &text);
	if (r < 0)
		hp_response_error(response, 500, "the answer could not be built: out of memory");
	else
		hp_response_json(response, status, text);
}

static void render(const struct binding *binding, const struct hp_snapshot *snapshot, int status,
		   bool raw, struct hp_response *response)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	int r = hp_json_new(&json);

	if (r == 0)
		r = binding->view->render(snapshot, binding->api->settings, raw, json);
	finish(json, status, r, response);
}

static void answer_off(const struct binding *binding, struct hp_response *response)
{
	struct hp_engine_status status;
	char text[512];

	if (hp_engine_status(binding->api->engine, &status) < 0)
		snprintf(text, sizeof(text), "%s", off_texts[binding->domain]);
	else
		snprintf(text, sizeof(text), "%s - %s", off_texts[binding->domain],
			 status.domains[binding->domain]);
	if (strstr(text, "--domains"))
		snprintf(text, sizeof(text), "%s - start hotpathd with %s in --domains%s",
			 off_texts[binding->domain], hp_domains[binding->domain]->name,
			 hp_domains[binding->domain]->only_if_named ? ""
								    : ", or without --domains");
	hp_response_error(response, 404, text);
}

static void answer_failure(const struct binding *binding, int code, const struct hp_err *err,
			   struct hp_response *response)
{
	if (code == -ENODEV)
		answer_off(binding, response);
	else if (code == -ETIMEDOUT)
		hp_response_error(response, 503,
				  "the profiler is stopping or too busy to answer: ask again");
	else
		hp_response_error(response,
				  code == -EINVAL   ? 400
				  : code == -ENOENT ? 404
				  : code == -EBUSY  ? 429
						    : 500,
				  err->text[0] ? err->text : hp_err_name(code));
}

/* "gzip" is among what the client takes, and not with weight 0. */
static bool takes_gzip(const struct hp_request *request)
{
	const char *at = request->accept_encoding ? strstr(request->accept_encoding, "gzip") : NULL;
	double weight = 1;

	if (!at)
		return false;
	return sscanf(at + strlen("gzip"), " ; q = %lf", &weight) != 1 || weight > 0;
}

static void handle_answer(const struct binding *binding, const struct hp_request *request,
			  struct hp_response *response)
{
	struct hp_err err = {0};
	struct hp_body body = {0};
	char *packed;
	size_t len;
	int r = binding->view->answer(binding->api->engine, request->query, &body, &err);

	if (r < 0) {
		answer_failure(binding, r, &err, response);
		return;
	}
	hp_response_json(response, 200, NULL);
	response->content_type = body.content_type;
	if (!body.packed && takes_gzip(request) &&
	    hp_gzip_pack(body.data, body.len, &packed, &len) == 0) {
		free(body.data);
		body.data = packed;
		body.len = len;
		response->gzip = true;
	}
	response->body = body.data;
	response->len = body.len;
}

static void handle_view(void *arg, const struct hp_request *request, uint32_t id,
			struct hp_response *response)
{
	const struct binding *binding = arg;
	struct hp_query query = {
		.kind = binding->view->kind, .id = id, .source = wants(request, "source")};
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	const struct hp_err none = {0};
	char text[128];
	int status = 200;
	int r = hp_query_text(request->query, "glob", query.filter, sizeof(query.filter));

	if (binding->view->answer) {
		handle_answer(binding, request, response);
		return;
	}
	if (r < 0) {
		hp_response_error(response, 400, "glob is longer than 255 bytes or badly encoded");
		return;
	}
	r = hp_engine_query(binding->api->engine, binding->domain, &query, request->method, &status,
			    &snapshot);
	if (r == 0 || (r == -ENODEV && binding->view->always)) {
		render(binding, snapshot, status, wants(request, "raw"), response);
	} else if (r == -ENOENT || (r == -ENODEV && binding->view->unknown_id)) {
		snprintf(text, sizeof(text), binding->view->unknown_id, id);
		hp_response_error(response, 404, text);
	} else {
		answer_failure(binding, r, &none, response);
	}
}

static void add_probes(struct hp_json *json, const struct hp_engine_status *status)
{
	hp_json_begin_object(json, "probes");
	hp_json_u64(json, "planned", status->probes.planned);
	hp_json_u64(json, "attached", status->probes.attached);
	hp_json_u64(json, "skipped", status->probes.skipped);
	hp_json_u64(json, "dropped", status->probes.dropped);
	hp_json_end(json);
	hp_json_u64(json, "attach_ns", status->probes.attach_ns);
	hp_json_begin_object(json, "records");
	hp_json_u64(json, "produced", status->produced);
	hp_json_u64(json, "consumed", status->consumed);
	hp_json_u64(json, "lost", status->lost);
	hp_json_u64(json, "slow_stacks", status->losses[HP_STAT_SLOW_STACKS]);
	hp_json_end(json);
	hp_json_begin_object(json, "losses");
	for (int i = 0; i < HP_NSTATS; i++) {
		if (i != HP_STAT_RECORDS && i != HP_STAT_HITS && i != HP_STAT_SLOW_STACKS)
			hp_json_u64(json, hp_core_stat_name(i), status->losses[i]);
	}
	hp_json_u64(json, "records_unusable", status->unusable);
	hp_json_u64(json, "read_errors", status->probes.read_errors);
	hp_json_u64(json, "cpu_inlined_missed", status->probes.inlined_missed);
	hp_json_u64(json, "cpu_perf_map_lines_bad", status->probes.perf_map_lines_bad);
	hp_json_end(json);
}

static void add_domains(struct hp_json *json, const struct hp_engine_status *status)
{
	hp_json_begin_object(json, "domains");
	for (int i = 0; i < HP_NDOMAINS; i++)
		hp_json_str(json, hp_domains[i]->name, status->domains[i]);
	hp_json_end(json);
	hp_json_begin_array(json, "notes");
	if (status->names[0])
		hp_json_str(json, NULL, status->names);
	if (status->asked[0])
		hp_json_str(json, NULL, status->asked);
	if (status->program[0])
		hp_json_str(json, NULL, status->program);
	if (status->children[0])
		hp_json_str(json, NULL, status->children);
	for (int i = 0; i < HP_NDOMAINS; i++) {
		if (status->notes[i][0])
			hp_json_str(json, NULL, status->notes[i]);
	}
	hp_json_end(json);
}

static void add_exec(struct hp_json *json, const struct hp_engine_status *status)
{
	hp_json_begin_object(json, "exec");
	hp_json_u64(json, "count", status->change.execs);
	hp_json_u64(json, "last_ns", status->changed_at_ns);
	hp_json_str(json, "from", status->change.from);
	hp_json_end(json);
}

static void add_children(struct hp_json *json, const struct hp_engine_status *status)
{
	const struct hp_family_state *family = &status->family;
	const struct hp_children *children = &status->probes.children;

	hp_json_begin_object(json, "children");
	hp_json_u64(json, "forked", family->forked);
	hp_json_u64(json, "adopted", family->adopted);
	hp_json_u64(json, "living", hp_engine_living(status));
	hp_json_u64(json, "exited", family->exited);
	hp_json_u64(json, "executed", family->executed);
	hp_json_u64(json, "unnoticed", family->unnoticed);
	hp_json_u64(json, "with_probes", children->with_probes);
	hp_json_u64(json, "hit_ns", children->hit_ns);
	hp_json_u64(json, "hit_stepped_ns", children->hit_stepped_ns);
	hp_json_u64(json, "off_ns", children->off_ns);
	hp_json_u64(json, "sweeps", children->sweeps);
	hp_json_u64(json, "timed", children->timed);
	hp_json_u64(json, "left_out", children->left_out);
	hp_json_u64(json, "missed", children->missed);
	hp_json_u64(json, "longest_attach_ns", children->longest_attach_ns);
	hp_json_end(json);
}

static void add_unwind(struct hp_json *json, const struct hp_engine_status *status)
{
	hp_json_begin_object(json, "unwind");
	hp_json_u64(json, "files", status->unwind.files);
	hp_json_u64(json, "without", status->unwind.without);
	hp_json_u64(json, "rows", status->unwind.rows);
	hp_json_u64(json, "build_ns", status->unwind.build_ns);
	hp_json_end(json);
}

static void handle_status(void *arg, const struct hp_request *request, uint32_t id,
			  struct hp_response *response)
{
	struct hp_api *api = arg;
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	struct hp_engine_status status;
	char text[HP_UNITS_MAX];
	int r = hp_engine_status(api->engine, &status);

	if (r < 0) {
		hp_response_error(response, 503,
				  "the profiler is stopping or too busy to answer: ask again");
		return;
	}
	r = hp_json_new(&json);
	if (r < 0) {
		hp_response_error(response, 500, hp_err_name(r));
		return;
	}
	hp_json_begin_object(json, NULL);
	/* Seconds only, as the reference sends it. */
	snprintf(text, sizeof(text), "%.2f s", (double)status.uptime_ns / 1e9);
	hp_json_str(json, "uptime", text);
	hp_json_u64(json, "pid", (uint64_t)status.pid);
	hp_json_str(json, "version", HP_VERSION);
	hp_json_begin_object(json, "target");
	hp_json_u64(json, "pid", (uint64_t)status.pid);
	hp_json_str(json, "comm", status.comm);
	hp_json_str(json, "exe", status.exe);
	hp_json_end(json);
	hp_json_str(json, "state", state_names[status.state]);
	add_domains(json, &status);
	add_exec(json, &status);
	add_children(json, &status);
	add_probes(json, &status);
	add_unwind(json, &status);
	hp_json_u64(json, "cpu_ns", status.cpu_ns);
	hp_json_u64(json, "rss_bytes", status.rss_bytes);
	hp_json_u64(json, "kernel_bytes", status.kernel_bytes);
	hp_json_end(json);
	finish(json, 200, 0, response);
}

static int bind_domain(struct hp_api *api, struct hp_router *router, enum hp_domain_id domain)
{
	const struct hp_domain_ops *ops = hp_domains[domain];
	int r = 0;

	for (size_t i = 0; i < ops->nviews && r == 0; i++) {
		struct binding *binding = &api->bindings[api->nbindings];

		if (api->nbindings == MAX_BINDINGS)
			return -E2BIG;
		*binding = (struct binding){.api = api, .view = &ops->views[i], .domain = domain};
		api->nbindings++;
		r = hp_router_add(router, binding->view->path, binding->view->methods, handle_view,
				  binding);
	}
	return r;
}

int hp_api_new(struct hp_engine *engine, const struct hp_settings *settings,
	       struct hp_router *router, struct hp_api **ret_api)
{
	HP_AUTO(hp_api) struct hp_api *api = calloc(1, sizeof(*api));
	int r = 0;

	if (!api)
		return -ENOMEM;
	api->engine = engine;
	api->settings = settings;
	api->absent = (struct hp_absent){
		.start_ns = hp_engine_start_ns(engine),
		.percentiles = settings->percentiles,
		.npercentiles = settings->npercentiles,
	};
	for (int i = 0; i < HP_NDOMAINS && r == 0; i++)
		r = bind_domain(api, router, i);
	if (r == 0)
		r = hp_router_add(router, "/profiler_status", NULL, handle_status, api);
	if (r == 0)
		r = hp_absent_add(router, &api->absent);
	if (r < 0)
		return r;
	*ret_api = HP_TAKE_PTR(api);
	return 0;
}

void hp_api_free(struct hp_api *api)
{
	free(api);
}
