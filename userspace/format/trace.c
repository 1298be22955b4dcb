#include "format/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

struct hp_trace {
	FILE *out; /* to text */
	char *text;
	size_t len;
	uint64_t events;
	bool has_args; /* of the slice that is being written */
};

int hp_trace_new(struct hp_trace **ret_trace)
{
	HP_AUTO(hp_trace) struct hp_trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return -ENOMEM;
	trace->out = open_memstream(&trace->text, &trace->len);
	if (!trace->out)
		return -ENOMEM;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", trace->out);
	*ret_trace = HP_TAKE_PTR(trace);
	return 0;
}

void hp_trace_free(struct hp_trace *trace)
{
	if (!trace)
		return;
	if (trace->out)
		fclose(trace->out);
	free(trace->text);
	free(trace);
}

static void put_text(FILE *out, const char *text)
{
	size_t left = strlen(text);

	fputc('"', out);
	while (left) {
		unsigned char c = (unsigned char)*text;
		size_t len = hp_utf8_sequence(text, left);

		if (len == 0)
			fputs("\ufffd", out);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ')
			fprintf(out, "\\u%04x", c);
		else
			fwrite(text, 1, len, out);
		len += len == 0;
		text += len;
		left -= len;
	}
	fputc('"', out);
}

static void put_us(FILE *out, const char *key, uint64_t ns)
{
	fprintf(out, ",\"%s\":%llu.%03u", key, (unsigned long long)(ns / 1000),
		(unsigned)(ns % 1000));
}

static void begin_event(struct hp_trace *trace, char phase, const char *name)
{
	fprintf(trace->out, "%s{\"ph\":\"%c\",\"name\":", trace->events ? ",\n" : "\n", phase);
	put_text(trace->out, name);
	trace->events++;
}

static void put_track(FILE *out, struct hp_trace_track track)
{
	fprintf(out, ",\"pid\":%u,\"tid\":%u", track.pid, track.tid);
}

void hp_trace_process(struct hp_trace *trace, uint32_t pid, const char *name)
{
	begin_event(trace, 'M', "process_name");
	fprintf(trace->out, ",\"pid\":%u,\"args\":{\"name\":", pid);
	put_text(trace->out, name);
	fputs("}}", trace->out);
}

void hp_trace_thread(struct hp_trace *trace, struct hp_trace_track track, const char *name,
		     uint32_t rank)
{
	begin_event(trace, 'M', "thread_name");
	put_track(trace->out, track);
	fputs(",\"args\":{\"name\":", trace->out);
	put_text(trace->out, name);
	fputs("}}", trace->out);
	begin_event(trace, 'M', "thread_sort_index");
	put_track(trace->out, track);
	fprintf(trace->out, ",\"args\":{\"sort_index\":%u}}", rank);
}

void hp_trace_slice_begin(struct hp_trace *trace, struct hp_trace_track track, const char *name,
			  const char *category, uint64_t start_ns, uint64_t duration_ns)
{
	begin_event(trace, 'X', name);
	fputs(",\"cat\":", trace->out);
	put_text(trace->out, category);
	put_track(trace->out, track);
	put_us(trace->out, "ts", start_ns);
	put_us(trace->out, "dur", duration_ns);
	trace->has_args = false;
}

static void begin_arg(struct hp_trace *trace, const char *key)
{
	fputs(trace->has_args ? "," : ",\"args\":{", trace->out);
	trace->has_args = true;
	put_text(trace->out, key);
	fputc(':', trace->out);
}

void hp_trace_arg_u64(struct hp_trace *trace, const char *key, uint64_t value)
{
	begin_arg(trace, key);
	fprintf(trace->out, "%llu", (unsigned long long)value);
}

void hp_trace_arg_str(struct hp_trace *trace, const char *key, const char *text)
{
	begin_arg(trace, key);
	put_text(trace->out, text);
}

void hp_trace_slice_end(struct hp_trace *trace)
{
	fputs(trace->has_args ? "}}" : "}", trace->out);
}

static void put_flow(struct hp_trace *trace, char phase, uint64_t id, const char *name,
		     struct hp_trace_track track, uint64_t ns)
{
	begin_event(trace, phase, name);
	fprintf(trace->out, ",\"cat\":\"flow\",\"id\":%llu", (unsigned long long)id);
	put_track(trace->out, track);
	put_us(trace->out, "ts", ns);
	/* The slice around it, not the next one that begins. */
	fputs(phase == 'f' ? ",\"bp\":\"e\"}" : "}", trace->out);
}

void hp_trace_flow(struct hp_trace *trace, uint64_t id, const char *name,
		   struct hp_trace_track from, uint64_t from_ns, struct hp_trace_track to,
		   uint64_t to_ns)
{
	put_flow(trace, 's', id, name, from, from_ns);
	put_flow(trace, 'f', id, name, to, to_ns);
}

uint64_t hp_trace_events(const struct hp_trace *trace)
{
	return trace->events;
}

int hp_trace_finish(struct hp_trace *trace, const char *other_data, char **ret_text,
		    size_t *ret_len)
{
	bool failed;

	fprintf(trace->out, "\n],\"otherData\":%s}\n", other_data);
	failed = ferror(trace->out);
	failed |= fclose(trace->out) != 0;
	trace->out = NULL;
	if (failed)
		return -ENOMEM;
	*ret_text = HP_TAKE_PTR(trace->text);
	*ret_len = trace->len;
	return 0;
}
