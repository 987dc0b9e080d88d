// Lets packets through that are no longer than so many bytes (1,000, or the argument), and drops the others. In C:
//
//     gcc -O2 -static -I Sources/CVMRing/include -o length-limit Examples/LengthLimit/length-limit.c
//     ringway nf run ./length-limit --config FILE --vm fw -- 500
#include "netlib.h"

static uint64_t decide(struct netlib_packet *packet, void *context)
{
	const long *limit = context;

	return packet->length > *limit ? NETLIB_DROP : NETLIB_NEXT;
}

int main(int count, char **words)
{
	long limit = count > 1 ? atol(words[1]) : 1000;

	return netlib_run(decide, &limit);
}
