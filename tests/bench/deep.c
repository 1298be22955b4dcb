/*
 * deep N FILE: burns in the innermost of N frames, and counts rounds of some 20 us in the mapped FILE (8 bytes). Built without frame
 * pointers.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile uint64_t *rounds;
static volatile uint64_t sink;

__attribute__((noipa)) static void burn(void)
{
	for (;;) {
		for (uint64_t i = 0; i < 40000; i++)
			sink += i;
		++*rounds;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): deep is the point */
__attribute__((noipa)) static void down(long frames)
{
	volatile char room[40] = {0}; /* each frame has a size */

	if (frames <= 1)
		burn();
	down(frames - 1);
	sink += (uint64_t)room[frames % 40];
}

int main(int argc, char **argv)
{
	int fd = argc > 2 ? open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd < 0 || ftruncate(fd, sizeof(*rounds)) < 0)
		return 1;
	rounds = mmap(NULL, sizeof(*rounds), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (rounds == MAP_FAILED)
		return 1;
	down(strtol(argv[1], NULL, 10) - 2); /* main and burn are frames, too */
	return 0;
}
