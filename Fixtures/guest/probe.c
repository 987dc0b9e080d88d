// What a hostile program in a virtual machine does to the shared memory of its devices.
//
//   probe find TEXT     says how often TEXT is in what is used of both regions
//   probe touch         writes to each page of both devices
//   probe lie SECONDS   attaches again and again and gives back what it likes, from random descriptors and positions to packets that
//                       it changes afterwards, and writes all over both regions
#define _GNU_SOURCE
#include "netlib.h"

#include <time.h>

// Packets and rings, without the lock that a function has.
static bool open_regions(char *regions[2])
{
	struct netlib_places places;
	struct netlib_region found[2];
	char error[NETLIB_TEXT];
	bool is_found = netlib_find(&places, error) && netlib_map(&found[0], places.packets, error) &&
		netlib_map(&found[1], places.rings, error);

	for (int i = 0; is_found && i < 2; i++) regions[i] = (char *)found[i].memory;
	if (!is_found) printf("probe: %s\n", error);
	return is_found;
}

static int find(char *regions[2], const char *text)
{
	const struct vmring_header *header = (const void *)regions[1];
	size_t sizes[2] = {header->packet_bytes, 0}, length = strlen(text);
	int found = 0;

	for (uint32_t i = 0; i < header->ring_count; i++) {
		const struct vmring_entry *ring = &header->rings[i];
		size_t end = ring->offset + sizeof(struct vmring_ring) + ring->capacity * sizeof(struct vmring_descriptor);

		if (end > sizes[1]) sizes[1] = end;
	}
	for (int i = 0; i < 2; i++) {
		const char *place = regions[i], *last = regions[i] + sizes[i];

		while ((place = memmem(place, (size_t)(last - place), text, length))) {
			found++;
			place++;
		}
	}
	return found;
}

static uint64_t state = 0x9e3779b97f4a7c15;

// xorshift64*
static uint64_t number(uint64_t limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d % limit;
}

static void give(struct vmring_parts ring, uint64_t capacity, uint64_t *given, struct vmring_descriptor descriptor)
{
	ring.descriptors[*given % capacity] = descriptor;
	vmring_store(ring.produced, ++*given);
}

// A descriptor that says something else than the one that came.
static struct vmring_descriptor lie(struct vmring_descriptor descriptor, uint32_t buffers)
{
	descriptor.verdict = VMRING_NEXT;
	switch (number(8)) {
	case 0: descriptor.buffer = (uint32_t)number(buffers); break;
	case 1: descriptor.buffer = (uint32_t)number(1ull << 32); break;
	case 2: descriptor.offset = (uint16_t)number(65536); break;
	case 3: descriptor.length = (uint16_t)number(65536); break;
	case 4: descriptor.verdict = (uint8_t)number(256); break;
	case 5: descriptor.port = (uint32_t)number(1ull << 32); break;
	}
	return descriptor;
}

static void lie_for(char *regions[2], unsigned seconds)
{
	struct vmring_header *header = (void *)regions[1];
	// What the agent says once, before it is written over.
	const struct vmring_header first = *header;
	const struct vmring_entry receive = header->rings[0], transmit = header->rings[1];
	size_t used = transmit.offset + sizeof(struct vmring_ring) + transmit.capacity * sizeof(struct vmring_descriptor);
	struct vmring_parts in = vmring_locate(regions[1] + receive.offset), out = vmring_locate(regions[1] + transmit.offset);
	uint64_t taken = 0, given = 0, epoch = 1;
	time_t end = time(NULL) + (time_t)seconds;

	for (unsigned long turn = 0; time(NULL) < end; turn++) {
		if (turn % 2000 == 0) {
			// A new attachment, with what it needs of the header; then all positions are 0.
			vmring_store32(&header->attach_flags, 0);
			vmring_store(&header->seen_epoch, first.agent_epoch);
			vmring_store(&header->epoch, epoch = epoch * 2 + turn + 1);
			for (int i = 0; i < 200 && vmring_load(&header->attached) != epoch; i++) usleep(1000);
			taken = given = 0;
		}
		vmring_store(&header->heartbeat, turn);
		for (uint64_t ready = vmring_load(in.produced); taken < ready && ready - taken <= receive.capacity; taken++) {
			struct vmring_descriptor descriptor = in.descriptors[taken % receive.capacity];

			give(out, transmit.capacity, &given, lie(descriptor, first.buffer_count));
			// Once more, and changed after it was handed over.
			if (number(4) == 0) give(out, transmit.capacity, &given, lie(descriptor, first.buffer_count));
			for (int i = 0; i < 8; i++) {
				size_t place = (size_t)(descriptor.buffer % first.buffer_count) * first.buffer_size + number(600);
				regions[0][place] = (char)number(256);
			}
		}
		for (int i = 0; i < 4; i++) {
			*(volatile uint64_t *)(regions[0] + number(first.packet_bytes / 8) * 8) = number(1ull << 63);
			if (turn % 2000 > 1000) *(volatile uint64_t *)(regions[1] + number(used / 8) * 8) = number(4) ? number(600) : number(1ull << 63);
		}
		usleep(20);
	}
}

int main(int count, char **words)
{
	char *regions[2];

	if (!open_regions(regions)) return 1;
	if (count == 3 && !strcmp(words[1], "find")) {
		printf("probe: found %d\n", find(regions, words[2]));
	} else if (count == 2 && !strcmp(words[1], "touch")) {
		for (size_t page = 0; page < VMRING_FILE_SIZE; page += 4096) {
			for (int i = 0; i < 2; i++) ((volatile char *)regions[i])[page] += 0;
		}
		puts("probe: touched all");
	} else if (count == 3 && !strcmp(words[1], "lie")) {
		lie_for(regions, (unsigned)atoi(words[2]));
		puts("probe: lied");
	} else {
		return 2;
	}
	return 0;
}
