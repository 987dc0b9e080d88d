// Lets packets through that are no longer than so many bytes (1,000, or the argument), and drops the others. In C:
//
//     gcc -O2 -static -I Sources/CVMRing/include -o length-limit Examples/LengthLimit/length-limit.c
//     ringway nf run ./length-limit --config FILE --vm fw -- 500
#include "netlib.h"

#include <stdlib.h>

static uint64_t decide(struct netlib_packet *packet, void *context)
{
	const long *limit = context;

	return packet->length > *limit ? NETLIB_DROP : NETLIB_NEXT;
}

int main(int count, char **words)
{
	char *end = NULL;
	long limit = count > 1 ? strtol(words[1], &end, 10) : 1000;

	if (count > 2 || (end && (end == words[1] || *end))) {
		fprintf(stderr, "a number of bytes is wanted\n");
		return 1;
	}
	return netlib_run(decide, &limit);
}
