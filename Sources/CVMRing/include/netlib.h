// NetLib for C, in this header and vmring.h: attaches a network function to the agent, hands it packets, gives back its verdicts. A
// process on the host opens the files that the agent has made, a program in a virtual machine the devices (ivshmem-plain).
//
//     static uint64_t decide(struct netlib_packet *packet, void *context) { return NETLIB_NEXT; }
//     int main(void) { return netlib_run(decide, NULL); }
#ifndef NETLIB_H
#define NETLIB_H

#include "vmring.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/// A packet, where the agent put it. A function may write to it, and move its beginning and its end within its buffer.
struct netlib_packet {
	/// The Ethernet header and what follows it, good until the verdict.
	uint8_t *data;
	/// In bytes, without frame check sequence.
	uint16_t length;
	/// The OpenFlow port where it came in; 0: none.
	uint32_t in_port;
	/// The number of its buffer: the same in all functions of the group that it goes through.
	uint32_t buffer;
};

/// Verdicts. Drop it · look it up again: it comes in by the function's port · output it to an OpenFlow port, or to a service, past the
/// rules.
#define NETLIB_DROP ((uint64_t)VMRING_DROP << 32)
#define NETLIB_NEXT ((uint64_t)VMRING_NEXT << 32)
#define NETLIB_OUT(port) ((uint64_t)VMRING_OUT << 32 | (uint32_t)(port))
#define NETLIB_FUNCTION(service) ((uint64_t)VMRING_FUNCTION << 32 | (uint32_t)(service))

/// Says what becomes of a packet.
typedef uint64_t netlib_decide(struct netlib_packet *packet, void *context);

/// The two rings that a function shares with one worker.
struct netlib_pair {
	struct vmring_parts received, given;
	uint64_t mask, consumed, produced;
};

enum { NETLIB_MOST_WORKERS = 128 };

/// A function's side of one port. For one thread.
struct netlib {
	uint8_t *packets;
	struct vmring_header *header;
	uint32_t buffer_size;
	/// The port's OpenFlow number, once it is attached.
	uint32_t port;
	/// Why something failed.
	char error[512];

	// The rest is for the functions here.
	uint64_t epoch, agent, beats;
	unsigned pair_count;
	/// Keeps the lock.
	int file;
	bool is_on_host, was_attached;
	struct netlib_pair pairs[NETLIB_MOST_WORKERS];
};

static inline bool netlib_fail(struct netlib *self, const char *place, const char *why)
{
	snprintf(self->error, sizeof self->error, "%s: %s", place, why);
	return false;
}

// MARK: The memory

#define NETLIB_DEVICES "/sys/bus/pci/devices"

/// A number that stands in a line (counted from 0) of a device's attribute; 0: there is none.
static inline uint64_t netlib_attribute(const char *device, const char *name, int line)
{
	char path[512], text[128] = "";
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", device, name);
	file = fopen(path, "r");
	if (!file) return 0;
	for (; line >= 0 && fgets(text, sizeof text, file); line--) {
	}
	fclose(file);
	return line < 0 ? strtoull(text, NULL, 0) : 0;
}

/// Maps a region; NULL with a reason. `*file` keeps locks: it is closed when the function leaves.
static inline void *netlib_map(struct netlib *self, const char *place, int *file, bool *is_on_host)
{
	char path[512];
	uint64_t address = 0;
	void *memory = MAP_FAILED;
	int source;

	snprintf(path, sizeof path, "%s/resource", place);
	*is_on_host = access(path, F_OK) != 0;
	if (!*is_on_host) {
		address = netlib_attribute(place, "resource", 2);
		snprintf(path, sizeof path, "%s/config", place);
	}
	*file = open(*is_on_host ? place : path, O_RDWR | O_CLOEXEC);
	// A mapping of the device's own file would be uncached. /dev/mem keeps to what the processor's memory type range registers say.
	source = *is_on_host ? *file : open("/dev/mem", O_RDWR | O_CLOEXEC);
	if (*file >= 0 && source >= 0)
		memory = mmap(NULL, VMRING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, source, (off_t)address);
	if (memory == MAP_FAILED) {
		netlib_fail(self, place, strerror(errno));
		if (*file >= 0) close(*file);
	}
	if (source >= 0 && source != *file) close(source);
	return memory == MAP_FAILED ? NULL : memory;
}

/// Opens what the agent has made for a VM: files, or folders of PCI devices. False: `error` says why.
static inline bool netlib_open(struct netlib *self, const char *packets, const char *rings)
{
	int file;

	memset(self, 0, sizeof *self);
	self->packets = (uint8_t *)netlib_map(self, packets, &file, &self->is_on_host);
	if (!self->packets) return false;
	close(file);
	self->header = (struct vmring_header *)netlib_map(self, rings, &self->file, &self->is_on_host);
	if (self->header && !vmring_lock(self->file)) {
		munmap(self->header, VMRING_FILE_SIZE);
		close(self->file);
		self->header = NULL;
		netlib_fail(self, rings, "another process is attached");
	}
	if (!self->header) munmap(self->packets, VMRING_FILE_SIZE);
	return self->header;
}

static inline int netlib_is_named(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/// Files, or folders of PCI devices.
struct netlib_places {
	char packets[300], rings[300];
};

/// Where packets and rings are: what RINGWAY_PACKETS and RINGWAY_RINGS name, as `ringway nf run` sets them; without these the two
/// devices of a virtual machine, of which the first has the packets.
static inline bool netlib_find(struct netlib *self, struct netlib_places *places)
{
	const char *packets = getenv("RINGWAY_PACKETS"), *rings = getenv("RINGWAY_RINGS");
	struct dirent **entries = NULL;
	int found = 0, count;

	if (packets && rings) {
		snprintf(places->packets, sizeof places->packets, "%s", packets);
		snprintf(places->rings, sizeof places->rings, "%s", rings);
		return true;
	}
	count = scandir(NETLIB_DEVICES, &entries, netlib_is_named, alphasort);
	for (int i = 0; i < count; i++) {
		char device[300];

		snprintf(device, sizeof device, NETLIB_DEVICES "/%s", entries[i]->d_name);
		free(entries[i]);
		if (netlib_attribute(device, "vendor", 0) != 0x1af4 || netlib_attribute(device, "device", 0) != 0x1110) continue;
		if (found < 2) memcpy(found == 0 ? places->packets : places->rings, device, sizeof device);
		found++;
	}
	free(entries);
	if (found == 2) return true;
	return netlib_fail(self, "RINGWAY_PACKETS and RINGWAY_RINGS", "not set, and there are no two devices with shared memory");
}

/// Opens what `netlib_find` finds.
static inline bool netlib_open_found(struct netlib *self)
{
	struct netlib_places places;

	memset(self, 0, sizeof *self);
	return netlib_find(self, &places) && netlib_open(self, places.packets, places.rings);
}

/// Leaves: what the function had in hand goes back to the agent.
static inline void netlib_close(struct netlib *self)
{
	vmring_store(&self->header->epoch, 0);
	munmap(self->packets, VMRING_FILE_SIZE);
	munmap(self->header, VMRING_FILE_SIZE);
	close(self->file);
}

// MARK: Attaching

/// Tells the agent that the function lives. `netlib_poll` does.
static inline void netlib_beat(struct netlib *self) { vmring_store(&self->header->heartbeat, ++self->beats); }

/// Whether the agent serves this attachment. Not so any more: it has begun anew, or has taken the function for dead.
static inline bool netlib_is_attached(const struct netlib *self)
{
	return self->epoch != 0 && vmring_load(&self->header->attached) == self->epoch;
}

static inline bool netlib_read_rings(struct netlib *self)
{
	const struct vmring_header *header = self->header;
	uint8_t *memory = (uint8_t *)self->header;

	if (header->version != VMRING_VERSION) return netlib_fail(self, "rings", "the agent's are of another version");
	(self->buffer_size = header->buffer_size, self->port = header->port);
	self->pair_count = 0;
	for (uint32_t i = 0; i < header->ring_count; i++) {
		const struct vmring_entry *in = &header->rings[i];

		for (uint32_t j = 0; in->kind == VMRING_RECEIVE && j < header->ring_count; j++) {
			const struct vmring_entry *out = &header->rings[j];

			if (out->kind != VMRING_TRANSMIT || out->queue != in->queue || out->worker != in->worker) continue;
			if (self->pair_count == NETLIB_MOST_WORKERS) return netlib_fail(self, "rings", "too many workers");
			self->pairs[self->pair_count++] = (struct netlib_pair){.received = vmring_locate(memory + in->offset),
				.given = vmring_locate(memory + out->offset),
				.mask = in->capacity - 1};
		}
	}
	return true;
}

/// Asks the agent to attach, if it has not been asked, and tells whether it has. To be called again until it has, every millisecond or
/// so; also when it has let the function go.
static inline bool netlib_attach(struct netlib *self)
{
	struct vmring_header *header = self->header;
	uint64_t agent = vmring_load(&header->agent_epoch);

	if (agent == 0 || header->magic != VMRING_MAGIC) return false;
	if (agent != self->agent || self->was_attached) {
		struct timespec time;

		if (!netlib_read_rings(self)) return false;
		clock_gettime(CLOCK_MONOTONIC, &time);
		// Another one than the last, and not 0.
		self->epoch = (vmring_load(&header->epoch) + ((uint64_t)time.tv_sec << 30) + (uint64_t)time.tv_nsec) | 1;
		self->agent = agent;
		self->was_attached = false;
		vmring_store32(&header->attach_flags, self->is_on_host ? VMRING_LOCKED : 0);
		vmring_store(&header->seen_epoch, agent);
		vmring_store(&header->epoch, self->epoch);
	}
	netlib_beat(self);
	self->was_attached = netlib_is_attached(self);
	return self->was_attached;
}

// MARK: Packets

/// Takes a burst from each worker's ring and gives it back with the verdicts of `decide`; returns how many packets there were. To be
/// called often: it is the heartbeat, too.
static inline unsigned netlib_poll(struct netlib *self, netlib_decide *decide, void *context)
{
	unsigned all = 0;

	netlib_beat(self);
	for (unsigned i = 0; i < self->pair_count; i++) {
		struct netlib_pair *pair = &self->pairs[i];
		uint64_t ready = vmring_load(pair->received.produced) - pair->consumed;
		unsigned count = ready < 32 ? (unsigned)ready : 32;

		for (unsigned j = 0; j < count; j++) {
			struct vmring_words words = vmring_read(pair->received.descriptors + (pair->consumed++ & pair->mask));
			uint32_t buffer = (uint32_t)words.place;
			uint8_t *start = self->packets + (size_t)buffer * self->buffer_size;
			struct netlib_packet packet = {.data = start + (uint16_t)(words.place >> 32),
				.length = (uint16_t)(words.place >> 48),
				.in_port = (uint32_t)words.rest,
				.buffer = buffer};
			uint64_t verdict = decide(&packet, context);

			// There is room: the agent hands over no more than either ring holds.
			vmring_write(pair->given.descriptors + (pair->produced++ & pair->mask),
				vmring_place(buffer, (uint16_t)(packet.data - start), packet.length), verdict);
		}
		if (count > 0) {
			vmring_store(pair->received.consumed, pair->consumed);
			vmring_store(pair->given.produced, pair->produced);
		}
		all += count;
	}
	return all;
}

/// Sleeps until there is a packet, but no longer than it takes for the next beat; in a virtual machine, where nobody can end that, for
/// 50 µs.
static inline void netlib_sleep(struct netlib *self)
{
	uint32_t *word = &self->header->need_wakeup;
	uint32_t limit = self->header->heartbeat_limit / 4;
	bool is_empty = netlib_is_attached(self);

	if (self->is_on_host) {
		vmring_before_sleep(word);
		for (unsigned i = 0; i < self->pair_count; i++)
			is_empty = is_empty && vmring_load(self->pairs[i].received.produced) == self->pairs[i].consumed;
		if (is_empty)
			vmring_sleep(word, (limit < 1 ? 1 : limit > 100 ? 100 : limit) * 1000000);
		else
			vmring_store32(word, 0);
	} else {
		usleep(50);
	}
	netlib_beat(self);
}

// MARK: The whole of it

static volatile sig_atomic_t netlib_is_over;

static inline void netlib_end(int signal)
{
	(void)signal;
	netlib_is_over = 1;
}

/// A function's main loop, until SIGTERM or SIGINT; the status to exit with: 0, or 1 with a word on standard error.
static inline int netlib_run(netlib_decide *decide, void *context)
{
	static struct netlib self;

	signal(SIGTERM, netlib_end);
	signal(SIGINT, netlib_end);
	if (!netlib_open_found(&self)) {
		fprintf(stderr, "%s\n", self.error);
		return 1;
	}
	while (!netlib_is_over) {
		unsigned idle = 0;

		if (!netlib_attach(&self)) {
			if (self.error[0]) {
				fprintf(stderr, "%s\n", self.error);
				netlib_close(&self);
				return 1;
			}
			usleep(1000);
			continue;
		}
		fprintf(stderr, "attached as port %u\n", self.port);
		while (!netlib_is_over && netlib_is_attached(&self)) {
			if (netlib_poll(&self, decide, context) > 0)
				idle = 0;
			else if (idle++ < 10000)
				vmring_pause();
			else
				netlib_sleep(&self);
		}
	}
	netlib_close(&self);
	return 0;
}

#endif
