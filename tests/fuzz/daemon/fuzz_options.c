/* A command line with one word per input line. Either the options keep the limits of options.h, or there is a sentence. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "daemon/options.h"

#define MAX_WORDS 64

static void check_numbers(const struct hp_options *options)
{
	assert(options->cpu_hz >= 1 && options->cpu_hz <= 10000);
	assert(options->cpu_window_sec >= 1 && options->cpu_window_sec <= 3600);
	assert(options->ring_kib >= 4 && options->ring_kib <= 65536);
	assert((options->ring_kib & (options->ring_kib - 1)) == 0);
	assert(options->npercentiles >= 1 && options->npercentiles <= HP_MAX_PERCENTILES);
	for (unsigned i = 0; i < options->npercentiles; i++)
		assert(options->percentiles[i] >= 0 && options->percentiles[i] <= 100);
}

static size_t count(const char *const *patterns)
{
	size_t n = 0;

	while (patterns && patterns[n])
		n += strlen(patterns[n]) + 1 > 0;
	return n;
}

static void check_options(const struct hp_options *options, int argc)
{
	int targets = (options->pid != 0) + (options->name != NULL) + (options->argv != NULL);

	check_numbers(options);
	assert(options->pid >= 0);
	assert(options->listen);
	assert(count(options->functions) + count(options->exclude) + count(options->exact) <
	       (size_t)argc);
	if (options->command == HP_COMMAND_PROFILE || options->command == HP_COMMAND_DRY_RUN)
		assert(targets == 1);
	if (options->argv)
		assert(options->argv[0]);
	hp_options_has_domain(options, "cpu");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_options) struct hp_options *options = NULL;
	HP_AUTO_FREE char *text = malloc(size + 1);
	char *argv[MAX_WORDS + 2] = {(char *)"hotpathd"};
	struct hp_err err = {0};
	char *rest = text, *word;
	int argc = 1, r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (argc <= MAX_WORDS && (word = strsep(&rest, "\n")))
		argv[argc++] = word;

	r = hp_options_parse(argc, argv, &options, &err);
	if (r == 0) {
		assert(options);
		check_options(options, argc);
	} else {
		assert(r == -EINVAL && !options);
		assert(err.code == r && err.text[0]);
		assert(memchr(err.text, '\0', sizeof(err.text)));
	}
	return 0;
}
