/*
 * random CALLS SEED: calls the generated functions in random order with random registers and flags, and prints
 * for each how often it was called and a hash of everything that its calls left: registers, flags, vectors, memory.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FUNCTIONS 4096
#define DATA_WORDS    40

struct mx_state {
	uint64_t registers[15], flags;
	uint64_t vectors[16][4];
};

struct mx_state mx_state;
uint64_t mx_target;
extern uint64_t mx_data[DATA_WORDS];
extern void (*const mx_functions[])(void);

void mx_call(void (*function)(void));

static uint64_t calls[MAX_FUNCTIONS], hashes[MAX_FUNCTIONS];

static uint64_t next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
	const uint64_t *words = data;

	for (size_t i = 0; i < size / sizeof(*words); i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return h;
}

/* Each call begins with the same memory, so that a wrong result is seen in the function that made it. */
static void run(uint64_t ncalls, uint64_t seed, unsigned count)
{
	uint64_t initial[DATA_WORDS];

	memcpy(initial, mx_data, sizeof(initial));
	for (uint64_t i = 0; i < ncalls; i++) {
		unsigned k = (unsigned)(next(&seed) % count);

		for (unsigned w = 0; w < sizeof(mx_state) / 8; w++)
			((uint64_t *)&mx_state)[w] = next(&seed);
		memcpy(mx_data, initial, sizeof(initial));
		mx_call(mx_functions[k]);
		calls[k]++;
		hashes[k] = hash(hashes[k], &mx_state, sizeof(mx_state));
		hashes[k] = hash(hashes[k], mx_data, sizeof(mx_data));
	}
}

int main(int argc, char **argv)
{
	unsigned count = 0;
	char line[16];

	if (argc < 3)
		return 2;
	while (mx_functions[count])
		count++;
	printf("{\"ready\":true}\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || strcmp(line, "run\n") != 0)
		return 2;
	run(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), count);
	printf("{\"functions\":[");
	for (unsigned i = 0; i < count; i++)
		printf("%s[%lu,\"%016lx\"]", i ? "," : "", calls[i], hashes[i]);
	printf("]}\n");
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) ? 0 : 1;
}
