/* The ceiling of the comparisons: what one core does that receives bursts of 32 and sends them on, and nothing else.
 *
 * Takes EAL arguments alone; the last port is the sink, the others are sources, one for each worker lcore, which sends on a
 * queue of its own. The main lcore answers each line on standard input with "<packets in> <packets out> <packets that the
 * sink received>", by the devices' own counters, and ends with the input. */
#include <rte_config.h>

#include <inttypes.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>

enum { BURST = 32, DESCRIPTORS = 1024, CACHE = 512 };

/* The pcap device keeps one buffer for each packet of the file; the largest has 100,000. */
enum { BUFFERS = 131071 };

static volatile int running = 1;
static uint16_t sink;

static int forward(void *source)
{
	struct rte_mbuf *burst[BURST];
	uint16_t port = (uintptr_t)source;

	while (running) {
		uint16_t received = rte_eth_rx_burst(port, 0, burst, BURST);
		uint16_t sent = rte_eth_tx_burst(sink, port, burst, received);

		if (unlikely(sent < received))
			rte_pktmbuf_free_bulk(burst + sent, received - sent);
	}
	return 0;
}

static int start_port(uint16_t port, uint16_t senders, struct rte_mempool *pool)
{
	struct rte_eth_conf configuration = {0};

	if (rte_eth_dev_configure(port, 1, senders, &configuration) < 0 ||
	    rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) < 0)
		return 1;
	for (uint16_t queue = 0; queue < senders; queue++)
		if (rte_eth_tx_queue_setup(port, queue, DESCRIPTORS, SOCKET_ID_ANY, NULL) < 0)
			return 1;
	return rte_eth_dev_start(port) < 0;
}

int main(int argc, char **argv)
{
	struct rte_mempool *pool;
	struct rte_eth_stats stats;
	uint16_t port = 0;
	unsigned int lcore;
	char line[16];

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("packets", BUFFERS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || rte_lcore_count() < 2 || rte_eth_dev_count_avail() != rte_lcore_count()) {
		fprintf(stderr, "bare_loop: a port for each lcore and 400 MiB are needed: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	sink = rte_eth_dev_count_avail() - 1;
	for (port = 0; port <= sink; port++)
		if (start_port(port, port == sink ? sink : 1, pool)) {
			fprintf(stderr, "bare_loop: port %u does not start\n", port);
			return 1;
		}
	port = 0;
	RTE_LCORE_FOREACH_WORKER(lcore)
		rte_eal_remote_launch(forward, (void *)(uintptr_t)port++, lcore);

	while (fgets(line, sizeof line, stdin)) {
		uint64_t received = 0;

		for (port = 0; port < sink; port++) {
			if (rte_eth_stats_get(port, &stats))
				return 1;
			received += stats.ipackets;
		}
		if (rte_eth_stats_get(sink, &stats))
			return 1;
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", received, stats.opackets, stats.ipackets);
		fflush(stdout);
	}

	running = 0;
	rte_eal_mp_wait_lcore();
	return 0;
}
