#include "daemon/report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/options.h"
#include "domains/domains.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "format/terminal.h"
#include "format/units.h"
#include "http/api.h"
#include "http/router.h"

static int print_domain(struct hp_engine *engine, const struct hp_settings *settings,
			enum hp_domain_id domain, FILE *out, unsigned width, bool colour)
{
	const struct hp_query query = {.kind = 0};
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	int status = 200, r;

	if (!hp_domains[domain]->print)
		return 0;
	r = hp_engine_query(engine, domain, &query, "GET", &status, &snapshot);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	fputc('\n', out);
	return hp_domains[domain]->print(snapshot, settings, out, width, colour);
}

static void print_head(struct hp_engine *engine, FILE *out, unsigned width)
{
	struct hp_engine_status status;
	char uptime[HP_UNITS_MAX];

	hp_engine_status(engine, &status);
	hp_terminal_print(out, width, 2, "hotpathd: %s (pid %d), %s", status.comm, status.pid,
			  hp_units_duration(uptime, sizeof(uptime), status.uptime_ns));
	if (status.program[0])
		hp_terminal_print(out, width, 2, "%s", status.program);
	if (status.children[0])
		hp_terminal_print(out, width, 2, "%s", status.children);
	for (int i = 0; i < HP_NDOMAINS; i++) {
		if (strcmp(status.domains[i], "active") != 0)
			hp_terminal_print(out, width, 2, "%s: %s", hp_domains[i]->name,
					  status.domains[i]);
		if (status.notes[i][0])
			hp_terminal_print(out, width, 2, "%s: %s", hp_domains[i]->name,
					  status.notes[i]);
	}
	if (status.lost)
		hp_terminal_print(
			out, width, 2,
			"%llu of %llu records were lost: counts and totals are exact, percentiles are not",
			(unsigned long long)status.lost, (unsigned long long)status.produced);
}

unsigned hp_report_width(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
		return size.ws_col;
	return 80;
}

static int write_text(struct hp_engine *engine, const struct hp_settings *settings, FILE *out)
{
	bool colour = isatty(fileno(out)) && !getenv("NO_COLOR");
	unsigned width = hp_report_width(out);
	int r = 0;

	print_head(engine, out, width);
	for (int i = 0; i < HP_NDOMAINS && r == 0; i++)
		r = print_domain(engine, settings, i, out, width, colour);
	return r;
}

static int write_json(const struct hp_router *router, FILE *out)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	HP_AUTO_FREE char *text = NULL;
	int r = hp_json_new(&json);

	if (r < 0)
		return r;
	hp_json_begin_object(json, NULL);
	for (size_t i = 0; hp_api_lists[i]; i++) {
		const struct hp_request request = {.method = "GET", .path = hp_api_lists[i]};
		struct hp_response response = {0};

		hp_router_handle(router, &request, &response);
		if (response.body)
			hp_json_embed(json, hp_api_lists[i], response.body);
		hp_response_reset(&response);
	}
	hp_json_end(json);
	r = hp_json_print(json, &text);
	if (r == 0)
		fprintf(out, "%s\n", text);
	return r;
}

int hp_report_write(struct hp_engine *engine, const struct hp_settings *settings,
		    const struct hp_router *router, const struct hp_options *options)
{
	HP_AUTO_FILE FILE *file = NULL;
	FILE *out = stdout;
	int r;

	if (!options->report && !isatty(STDOUT_FILENO))
		return 0;
	if (options->report && strcmp(options->report, "-") != 0) {
		file = fopen(options->report, "we");
		if (!file) {
			r = -errno;
			hp_log(HP_LOG_ERROR, "report", "cannot write %s: %s", options->report,
			       hp_err_name(r));
			return r;
		}
		out = file;
	}
	r = options->format == HP_REPORT_JSON ? write_json(router, out)
					      : write_text(engine, settings, out);
	if (r == 0 && (fflush(out) != 0 || ferror(out)))
		r = -EIO;
	if (r < 0)
		hp_log(HP_LOG_ERROR, "report", "the report is incomplete: %s", hp_err_name(r));
	return r;
}
