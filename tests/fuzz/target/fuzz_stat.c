/* Text of /proc/PID/stat and /proc/PID/status, held against a plainer reading of the same. */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "target/proc.h"

/* The name is what stands between the first '(' and the last ')', cut to 63 bytes. */
static void check_stat(const char *text, size_t size)
{
	struct hp_proc_stat stat;
	const char *open, *close;
	size_t len;

	if (hp_proc_parse_stat(text, size, &stat) < 0)
		return;
	open = memchr(text, '(', size);
	close = memrchr(text, ')', size);
	assert(open && close && open < close);
	len = (size_t)(close - open) - 1;
	len = len < sizeof(stat.comm) ? len : sizeof(stat.comm) - 1;
	assert(memcmp(stat.comm, open + 1, len) == 0 && stat.comm[len] == '\0');
	assert(stat.state == close[2]);
}

/* sscanf() counts fields as well; it needs numbers that fit. */
static void check_numbers(const char *text, size_t size)
{
	unsigned long long utime, stime, start;
	struct hp_proc_stat stat;
	const char *close;

	if (size > 1000 || hp_proc_parse_stat(text, size, &stat) < 0 ||
	    isspace((unsigned char)stat.state))
		return;
	close = memrchr(text, ')', size);
	for (const char *at = close; at < text + size; at++) {
		size_t digits = strspn(at, "0123456789");

		if (digits > 18 || *at == '-')
			return;
	}
	assert(sscanf(close,
		      ") %*c %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu %llu %*u %*u %*u %*u %*u "
		      "%*u %llu",
		      &utime, &stime, &start) == 3);
	assert(stat.utime_ticks == utime && stat.stime_ticks == stime && stat.start_ticks == start);
}

static void check_status(const char *text, size_t size)
{
	struct hp_proc_status status;
	bool has_tgid =
		size >= 5 && (memcmp(text, "Tgid:", 5) == 0 || memmem(text, size, "\nTgid:", 6));
	bool traced = memmem(text, size, "TracerPid:", 10) != NULL;
	int r = hp_proc_parse_status(text, size, &status);

	assert((r == 0) == has_tgid);
	if (r < 0)
		return;
	assert(traced || status.tracer_pid == 0);
	assert(!status.shadow_stack || memmem(text, size, "shstk", 5));
	assert(status.nspid_depth <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO_FREE char *text = malloc(size + 1);

	if (!text)
		return 0;
	check_stat((const char *)data, size);
	check_status((const char *)data, size);
	memcpy(text, data, size);
	text[size] = '\0';
	if (strlen(text) == size)
		check_numbers(text, size);
	return 0;
}
