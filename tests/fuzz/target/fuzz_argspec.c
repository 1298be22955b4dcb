/* An --args SPEC of any bytes: a sentence, or a valid signature whose text is taken again and means the same. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "target/argspec.h"

/* A pattern may be an expensive regular expression, which is fuzz_select's business. */
static void check_again(const struct hp_signature *signature)
{
	HP_AUTO(hp_argspecs) struct hp_argspecs *specs = NULL;
	char types[256], text[300];
	struct hp_err err = {0};
	int r;

	hp_signature_text(signature, types, sizeof(types));
	snprintf(text, sizeof(text), "f%s", types);
	if (hp_argspecs_new(&specs) < 0)
		return;
	r = hp_argspecs_add(specs, text, &err);
	/* A length on the stack, out of reach, makes its text a pointer. */
	assert(r == 0 || r == -12);
	if (r == 0)
		assert(hp_signature_equal(signature, hp_argspecs_signature(specs, 0)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_argspecs) struct hp_argspecs *specs = NULL;
	HP_AUTO_FREE char *text = malloc(size + 1);
	const struct hp_signature *signature;
	struct hp_err err = {0};
	int r;

	if (!text || size > 4096 || hp_argspecs_new(&specs) < 0)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (strchr(text, '/'))
		return 0;
	r = hp_argspecs_add(specs, text, &err);
	assert(r == 0 || (r == -22 && err.code == r && err.text[0]));
	if (r < 0)
		return 0;
	signature = hp_argspecs_signature(specs, 0);
	if (!signature)
		return 0;
	assert(hp_signature_valid(signature));
	check_again(signature);
	return 0;
}
