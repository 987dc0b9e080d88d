/* The ceiling of the comparisons: what one core does that receives bursts of 32 and sends them on, and nothing else.
 *
 * Takes EAL arguments alone; port 0 is the source, port 1 the sink. The loop runs on the one worker lcore. The main
 * lcore answers each line on standard input with "<packets in> <packets out> <packets that the sink received>", by the
 * devices' own counters, and ends with the input. */
#include <rte_config.h>

#include <inttypes.h>
#include <stdio.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>

enum { SOURCE = 0, SINK = 1, BURST = 32, DESCRIPTORS = 1024, CACHE = 512 };

/* The pcap device keeps one buffer for each packet of the file; the largest has 100,000. */
enum { BUFFERS = 131071 };

static volatile int running = 1;

static int forward(void *unused)
{
	struct rte_mbuf *burst[BURST];

	(void)unused;
	while (running) {
		uint16_t received = rte_eth_rx_burst(SOURCE, 0, burst, BURST);
		uint16_t sent = rte_eth_tx_burst(SINK, 0, burst, received);

		if (unlikely(sent < received))
			rte_pktmbuf_free_bulk(burst + sent, received - sent);
	}
	return 0;
}

static int start_port(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf configuration = {0};

	return rte_eth_dev_configure(port, 1, 1, &configuration) < 0 ||
	       rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) < 0 ||
	       rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) < 0 || rte_eth_dev_start(port) < 0;
}

int main(int argc, char **argv)
{
	struct rte_mempool *pool;
	struct rte_eth_stats source, sink;
	char line[16];

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("packets", BUFFERS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || start_port(SOURCE, pool) || start_port(SINK, pool) || rte_lcore_count() != 2) {
		fprintf(stderr, "bare_loop: two ports, two lcores and 400 MiB are needed: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	rte_eal_remote_launch(forward, NULL, rte_get_next_lcore(-1, 1, 0));

	while (fgets(line, sizeof line, stdin)) {
		if (rte_eth_stats_get(SOURCE, &source) || rte_eth_stats_get(SINK, &sink))
			return 1;
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", source.ipackets, sink.opackets, sink.ipackets);
		fflush(stdout);
	}

	running = 0;
	rte_eal_mp_wait_lcore();
	return 0;
}
