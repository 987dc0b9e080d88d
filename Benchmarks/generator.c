/* The traffic of the rows with more flows than a pcap device has buffers for: frames made from templates, sent by one worker
 * lcore on port 0, and their latency, if they come back on port 1. The same lcore is the network function that they go through on the
 * way, if there is one: it sends back all that it receives, unchanged.
 *
 *     generator EAL-ARGUMENTS -- TEMPLATES ORDER SIZE QUEUES [PACKETS RINGS]
 *
 * TEMPLATES: a file of 128 bytes for each flow: the first 64 bytes of its frames of 64, and a mask of those bits that may
 * change without a rule noticing. ORDER: round-robin, uniform, zipf (by 1/rank^1.1), or new: the bits of a flow's mask are
 * random, and its source address counts packets, so that no packet is of a flow that was there before. SIZE: of frames on
 * the wire, or imix (7 of 64, 4 of 594, 1 of 1,518 bytes). QUEUES: of port 1, as many as the other side sends on, for a memif
 * has no more; if not 0, the time of sending is in the last 8 bytes. PACKETS RINGS: of the function, as the files of its memory; or
 * it has port 2, a virtio device.
 *
 * The main lcore answers each line on standard input with one on standard output, and ends with the input:
 *     order new from now on, answers "ok"
 *     rate N    packets a second, 0: as many as the other side takes, which it does at first; answers "ok"
 *     reset     forgets all latencies; answers "ok"
 *     latency   "<packets> <p50> <p99> <p99.9> <most> <packets not counted>", in nanoseconds
 *     counts    "<packets sent> <packets received>" */
#include <rte_config.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "netlib.h"

/* Each burst is one store that the other side has to fetch; larger ones leave the first cache. */
enum { BURST = 64, AHEAD = 32, DESCRIPTORS = 1024, BUFFERS = 65535, CACHE = 256, MOST_QUEUES = 16 };
enum { HEADER = 64, RECORD = 2 * HEADER, CHECK_SEQUENCE = 4, SMALLEST = 60, IMIX = 12, DRAWS = 1 << 20 };
/* Latencies: 64 steps for each power of two of cycles. */
enum { STEPS = 64, POWERS = 40 };
/* Behind its schedule by more packets than this, it does not catch up. */
enum { MOST_DUE = 1024 };
/* A pause of more than this part of a second (20 us) is one in which it did not run. */
enum { MOST_PAUSES = 50000 };

enum order { ROUND_ROBIN, UNIFORM, ZIPF, NEW };

struct template {
	uint64_t words[HEADER / 8];
};

static struct template *templates, *masks;
static uint32_t flows, *draws;
static uint16_t sizes[IMIX];
static int return_queues, imix;

static struct netlib function;
static int has_rings, has_function_port;

/* Written by the main lcore alone. */
static volatile int running = 1;
static volatile enum order order;
static volatile uint64_t rate;
static volatile uint32_t resets;

/* Written by the worker alone. */
static volatile uint64_t sent, received, uncounted;
static volatile uint64_t histogram[POWERS * STEPS];

static uint64_t random_state = 0x9e3779b97f4a7c15;

static inline uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static inline uint32_t choose(enum order by, uint64_t number)
{
	switch (by) {
	case ROUND_ROBIN:
	case NEW:
		/* In the order of the file, which is random already. */
		return number % flows;
	case ZIPF:
		return draws[number % DRAWS];
	default:
		return (next_random() >> 32) * flows >> 32;
	}
}

/* The ones' complement sum of 16-bit words, in any byte order; `sum`: of less than 2^16 of them. */
static inline uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Splitmix64: scrambles a number; unlike next_random, without waiting for the one before. */
static inline uint64_t scramble(uint64_t number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
	number = (number ^ number >> 27) * 0x94d049bb133111eb;
	return number ^ number >> 31;
}

static inline unsigned int vlan_tag(const uint64_t *words)
{
	return (words[1] >> 32 & 0xffff) == 0x0081 ? 4 : 0;
}

static inline int is_ipv4(const uint64_t *words)
{
	return (vlan_tag(words) ? words[2] & 0xffff : words[1] >> 32 & 0xffff) == 0x0008;
}

/* A flow that was not there before; all in registers, as loads of what was just stored in parts take long. */
static inline void renew(uint64_t *words, const uint64_t *template, const uint64_t *mask, uint64_t number)
{
	/* From the third word on: what is above Ethernet. */
	for (int i = 2; i < HEADER / 8; i++)
		words[i] = template[i] ^ (mask[i] & scramble((number + 1) * HEADER + i));
	/* The source address: locally administered, not multicast; then the number. */
	words[0] = (template[0] & 0xffffffffffff) | (uint64_t)0x02 << 48 | number >> 32 << 56;
	words[1] = (template[1] & ~(uint64_t)0xffffffff) | (number & 0xffffffff);
	if (is_ipv4(words)) {
		/* Checksum and addresses are next to each other: 10 bytes of the fourth and the fifth word. */
		const unsigned int shift = vlan_tag(words) * 8;
		unsigned __int128 before = (unsigned __int128)template[4] << 64 | template[3];
		unsigned __int128 after = (unsigned __int128)words[4] << 64 | words[3];
		uint16_t sum = ~(uint16_t)(before >> shift), removed = fold((uint64_t)(before >> shift >> 16));
		uint16_t changed = ~fold((uint64_t)sum + (uint16_t)~removed + fold((uint64_t)(after >> shift >> 16)));

		after ^= (unsigned __int128)(uint16_t)(changed ^ (uint16_t)(after >> shift)) << shift;
		words[3] = after;
		words[4] = after >> 64;
	}
}

/* Lengths and checksum of the IP header, of a frame of that length. */
static void fix_ip(uint8_t *frame, const uint64_t *words, uint16_t length)
{
	uint8_t *ip = frame + 14 + vlan_tag(words);
	uint16_t total = length - (ip - frame), checksum;
	uint64_t sum = 0;

	if (!is_ipv4(words)) {
		total -= 40;
		ip[4] = total >> 8;
		ip[5] = total;
		return;
	}
	ip[2] = total >> 8;
	ip[3] = total;
	ip[10] = ip[11] = 0;
	for (int i = 0; i < 20; i += 4) {
		uint32_t word;

		memcpy(&word, ip + i, sizeof word);
		sum += word;
	}
	checksum = ~fold(sum);
	memcpy(ip + 10, &checksum, sizeof checksum);
}

static inline void fill(struct rte_mbuf *mbuf, enum order by, uint32_t flow, uint64_t number)
{
	uint16_t length = sizes[number % IMIX];
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint64_t words[HEADER / 8];

	if (by == NEW)
		renew(words, templates[flow].words, masks[flow].words, number);
	else
		memcpy(words, &templates[flow], HEADER);
	memcpy(frame, words, HEADER);
	if (imix)
		fix_ip(frame, words, length);
	mbuf->data_len = mbuf->pkt_len = length;
}

/* The next packets, as if sent at `now`. */
static unsigned int make(struct rte_mempool *pool, struct rte_mbuf **burst, unsigned int count, uint64_t made, uint64_t now)
{
	const enum order by = order;
	uint32_t chosen[BURST];

	if (rte_pktmbuf_alloc_bulk(pool, burst, count))
		return 0;
	for (unsigned int i = 0; i < count + AHEAD; i++) {
		if (i < count) {
			chosen[i] = choose(by, made + i);
			rte_prefetch0(&templates[chosen[i]]);
		}
		if (i < AHEAD)
			continue;
		fill(burst[i - AHEAD], by, chosen[i - AHEAD], made + i - AHEAD);
		if (return_queues)
			memcpy(rte_pktmbuf_mtod_offset(burst[i - AHEAD], uint8_t *, burst[i - AHEAD]->data_len - sizeof now),
			       &now, sizeof now);
	}
	return count;
}

static inline void note(uint64_t cycles)
{
	unsigned int power = 63 - __builtin_clzll(cycles | STEPS);
	unsigned int at = (power - 5) * STEPS + (cycles >> (power - 6)) - STEPS;

	if (at >= POWERS * STEPS)
		at = POWERS * STEPS - 1;
	histogram[at]++;
}

/* The least number of cycles that is counted there. */
static double cycles_of(unsigned int at)
{
	return at < STEPS ? at : ldexp(STEPS + at % STEPS, at / STEPS - 1);
}

/* This lcore shares its core. Packets that were under way while it did not run may have waited for it, and not for the
 * switch: those sent before `resumed` are not counted. */
static uint64_t checked, resumed, most_between;

static inline uint64_t check_time(void)
{
	uint64_t now = rte_rdtsc();

	if (unlikely(now - checked > most_between))
		resumed = now;
	checked = now;
	return now;
}

static void drain(void)
{
	struct rte_mbuf *burst[BURST];

	for (int queue = 0; queue < return_queues; queue++) {
		unsigned int count = rte_eth_rx_burst(1, queue, burst, BURST);
		uint64_t now = check_time();

		for (unsigned int i = 0; i < count; i++) {
			uint64_t then;

			memcpy(&then, rte_pktmbuf_mtod_offset(burst[i], uint8_t *, burst[i]->data_len - sizeof then), sizeof then);
			if (then >= resumed)
				note(now - then);
			else
				uncounted++;
		}
		received += count;
		rte_pktmbuf_free_bulk(burst, count);
	}
}

static uint64_t send_on(struct netlib_packet *packet, void *context)
{
	(void)packet, (void)context;
	return NETLIB_NEXT;
}

/* A turn of the network function. Nothing is lost in it: what the switch does not take yet is kept waiting. */
static void serve(void)
{
	if (has_rings) {
		if (netlib_is_attached(&function))
			netlib_poll(&function, send_on, NULL);
		else
			netlib_attach(&function);
	}
	if (has_function_port) {
		struct rte_mbuf *burst[BURST];
		unsigned int count = rte_eth_rx_burst(2, 0, burst, BURST), taken = 0;

		while (taken < count && running)
			taken += rte_eth_tx_burst(2, 0, burst + taken, count - taken);
	}
}

static int work(void *pool)
{
	const uint64_t hertz = rte_get_tsc_hz();
	uint64_t since = rte_rdtsc(), pace = 0, paced = 0, made = 0;
	struct rte_mbuf *burst[BURST];
	unsigned int waiting = 0, done = 0;
	uint32_t resets_seen = 0;

	most_between = hertz / MOST_PAUSES;
	while (running) {
		uint64_t now = check_time();

		drain();
		serve();
		if (resets_seen != resets) {
			resets_seen = resets;
			uncounted = 0;
			memset((void *)(uintptr_t)histogram, 0, sizeof histogram);
		}
		if (done == waiting) {
			unsigned int count = BURST;

			if (pace != rate) {
				pace = rate;
				since = now;
				paced = 0;
			}
			if (pace) {
				uint64_t due = (uint64_t)((double)(now - since) * pace / hertz);

				if (due > paced + MOST_DUE)
					paced = due - MOST_DUE;
				count = RTE_MIN((uint64_t)BURST, due - paced);
			}
			waiting = count ? make(pool, burst, count, made, check_time()) : 0;
			made += waiting;
			paced += waiting;
			done = 0;
		}
		if (done < waiting) {
			unsigned int taken = rte_eth_tx_burst(0, 0, burst + done, waiting - done);

			done += taken;
			sent += taken;
		}
	}
	return 0;
}

static void print_latency(void)
{
	static const double parts[] = {0.5, 0.99, 0.999};
	double nanoseconds = 1e9 / rte_get_tsc_hz(), results[4] = {0};
	uint64_t total = 0, sum = 0;

	for (unsigned int i = 0; i < POWERS * STEPS; i++)
		total += histogram[i];
	for (unsigned int i = 0; i < POWERS * STEPS; i++) {
		uint64_t count = histogram[i];

		for (int part = 0; part < 3; part++)
			if (sum <= parts[part] * total && sum + count > parts[part] * total)
				results[part] = cycles_of(i + 1) * nanoseconds;
		if (count)
			results[3] = cycles_of(i + 1) * nanoseconds;
		sum += count;
	}
	printf("%" PRIu64 " %.0f %.0f %.0f %.0f %" PRIu64 "\n", total, results[0], results[1], results[2], results[3], uncounted);
}

/* Returns 0 if all flows could be read. */
static int read_templates(const char *path)
{
	FILE *file = fopen(path, "rb");
	long length;
	uint32_t i;

	if (!file || fseek(file, 0, SEEK_END) || (length = ftell(file)) < RECORD || fseek(file, 0, SEEK_SET))
		return -1;
	flows = length / RECORD;
	templates = rte_malloc(NULL, (size_t)flows * HEADER, HEADER);
	masks = rte_malloc(NULL, (size_t)flows * HEADER, HEADER);
	for (i = 0; templates && masks && i < flows; i++)
		if (fread(&templates[i], HEADER, 1, file) != 1 || fread(&masks[i], HEADER, 1, file) != 1)
			break;
	fclose(file);
	return i == flows ? 0 : -1;
}

/* The sequence of draws is made before: one needs a search each. */
static int prepare_zipf(void)
{
	double *sums = calloc(flows, sizeof *sums), total = 0;

	draws = rte_malloc(NULL, DRAWS * sizeof *draws, HEADER);
	if (!sums || !draws)
		return -1;
	for (uint32_t i = 0; i < flows; i++)
		sums[i] = total += pow(i + 1, -1.1);
	for (uint32_t i = 0; i < DRAWS; i++) {
		double at = (next_random() >> 11) * 0x1p-53 * total;
		uint32_t low = 0, high = flows - 1;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (sums[middle] > at)
				high = middle;
			else
				low = middle + 1;
		}
		draws[i] = low;
	}
	free(sums);
	return 0;
}

static int prepare(char **arguments)
{
	static const char *const orders[] = {"round-robin", "uniform", "zipf", "new"};
	static const uint16_t mix[IMIX] = {64, 594, 64, 594, 64, 1518, 64, 594, 64, 594, 64, 64};
	unsigned int which = 0;

	while (which < RTE_DIM(orders) && strcmp(arguments[1], orders[which]))
		which++;
	order = which;
	imix = !strcmp(arguments[2], "imix");
	for (int i = 0; i < IMIX; i++) {
		int size = (imix ? mix[i] : atoi(arguments[2])) - CHECK_SEQUENCE;

		if (size < SMALLEST || size > RTE_MBUF_DEFAULT_DATAROOM)
			return -1;
		sizes[i] = size;
	}
	return_queues = atoi(arguments[3]);
	has_function_port = rte_eth_dev_count_avail() == 3;
	if (return_queues < 0 || return_queues > MOST_QUEUES || rte_eth_dev_count_avail() != 1 + !!return_queues + has_function_port)
		return -1;
	has_rings = arguments[4] != NULL;
	if (has_rings && !netlib_open(&function, arguments[4], arguments[5])) {
		fprintf(stderr, "generator: %s\n", function.error);
		return -1;
	}
	return which == RTE_DIM(orders) || read_templates(arguments[0]) || (order == ZIPF && prepare_zipf()) ? -1 : 0;
}

/* Sends on one queue. */
static int start_port(uint16_t port, uint16_t queues, struct rte_mempool *pool)
{
	struct rte_eth_conf configuration = {0};

	if (rte_eth_dev_configure(port, queues, 1, &configuration) < 0 ||
	    rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) < 0)
		return -1;
	for (uint16_t queue = 0; queue < queues; queue++)
		if (rte_eth_rx_queue_setup(port, queue, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) < 0)
			return -1;
	return rte_eth_dev_start(port);
}

int main(int argc, char **argv)
{
	int parsed = rte_eal_init(argc, argv);
	struct rte_mempool *pool;
	char line[64];

	if (parsed < 0)
		return 1;
	if ((argc - parsed != 5 && argc - parsed != 7) || rte_lcore_count() != 2 || prepare(argv + parsed + 1)) {
		fprintf(stderr, "generator: two lcores, one to three ports, TEMPLATES ORDER SIZE QUEUES and memory for the templates are needed\n");
		return 2;
	}
	pool = rte_pktmbuf_pool_create("packets", BUFFERS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || start_port(0, 1, pool) || (return_queues && start_port(1, return_queues, pool)) ||
	    (has_function_port && start_port(2, 1, pool))) {
		fprintf(stderr, "generator: no port: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	rte_eal_remote_launch(work, pool, rte_get_next_lcore(-1, 1, 0));

	while (fgets(line, sizeof line, stdin)) {
		if (!strncmp(line, "latency", 7)) {
			print_latency();
		} else if (!strncmp(line, "counts", 6)) {
			printf("%" PRIu64 " %" PRIu64 "\n", sent, received);
		} else {
			if (!strncmp(line, "order new", 9))
				order = NEW;
			if (!strncmp(line, "rate ", 5))
				rate = strtoull(line + 5, NULL, 10);
			if (!strncmp(line, "reset", 5))
				resets++;
			puts("ok");
		}
		fflush(stdout);
	}

	running = 0;
	rte_eal_mp_wait_lcore();
	return 0;
}
