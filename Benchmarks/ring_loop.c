/* The network functions of a chain in one process, as they have one core: each sends on all that it receives, unchanged.
 *
 * Takes the path of the group's packets and those of the rings, one of each function. SIGTERM ends it. */
#include "netlib.h"

static uint64_t next(struct netlib_packet *packet, void *context)
{
	(void)packet, (void)context;
	return NETLIB_NEXT;
}

int main(int count, char **words)
{
	struct netlib *functions = calloc((size_t)count, sizeof *functions);

	signal(SIGTERM, netlib_end);
	for (int i = 2; i < count; i++) {
		if (netlib_open(&functions[i], words[1], words[i])) continue;
		fprintf(stderr, "ring_loop: %s\n", functions[i].error);
		return 1;
	}
	while (!netlib_is_over) {
		for (int i = 2; i < count; i++) {
			if (netlib_is_attached(&functions[i]))
				netlib_poll(&functions[i], next, NULL);
			else
				netlib_attach(&functions[i]);
		}
	}
	return 0;
}
