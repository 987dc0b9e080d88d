// Where a network function finds the memory that it shares with the agent, and how it maps it: files, for a process on the host, or
// the devices of a virtual machine, QEMU's `ivshmem-plain`, whose second base address register (BAR2) is shared memory.
#ifndef NETLIB_MEMORY_H
#define NETLIB_MEMORY_H

#include "vmring.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { NETLIB_TEXT = 512, NETLIB_PATH = 300 };

/// Notes why something fails; false.
static inline bool netlib_fail(char error[NETLIB_TEXT], const char *place, const char *why)
{
	snprintf(error, NETLIB_TEXT, "%s: %s", place, why);
	return false;
}

// MARK: Devices

#define NETLIB_DEVICES "/sys/bus/pci/devices"

/// The numbers that stand in a line (counted from 0) of a device's attribute; returns how many there are, up to 2.
static inline int netlib_attribute(const char *device, const char *name, int line, uint64_t numbers[2])
{
	char path[NETLIB_PATH + 32], text[128] = "", *next = text, *end;
	int count = 0;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", device, name);
	file = fopen(path, "r");
	if (!file) return 0;
	for (; line >= 0 && fgets(text, sizeof text, file); line--) {
	}
	fclose(file);
	if (line >= 0) return 0;
	for (; count < 2; count++, next = end) {
		numbers[count] = strtoull(next, &end, 0);
		if (end == next) break;
	}
	return count;
}

/// Where a device's memory lies, which answers from now on.
static inline bool netlib_enable(const char *device, uint64_t *address, char error[NETLIB_TEXT])
{
	uint64_t numbers[2];
	char path[NETLIB_PATH + 32];

	// A device that no driver has may be switched off. One that is on is not to be switched off by the end of another process, so it
	// stays as it is.
	if (netlib_attribute(device, "enable", 0, numbers) > 0 && numbers[0] == 0) {
		FILE *file;

		snprintf(path, sizeof path, "%s/enable", device);
		file = fopen(path, "w");
		if (file) {
			fputs("1", file);
			fclose(file);
		}
	}
	// One line for each register: first address, last address, flags.
	if (netlib_attribute(device, "resource", 2, numbers) < 2 || numbers[0] == 0)
		return netlib_fail(error, device, "it has no shared memory");
	if (numbers[1] - numbers[0] < VMRING_FILE_SIZE - 1) return netlib_fail(error, device, "its memory is less than 4 GiB");
	*address = numbers[0];
	return true;
}

// MARK: Mapping

/// One of the two regions.
struct netlib_region {
	/// All of it, of which only the beginning has memory: how much that is, the agent may change.
	uint8_t *memory;
	/// With it goes the lock.
	int file;
	/// Whether the agent runs on the same machine: then it sees locks, and may wake who sleeps.
	bool is_on_host;
};

static inline void netlib_unmap(struct netlib_region *region)
{
	munmap(region->memory, VMRING_FILE_SIZE);
	close(region->file);
}

/// Maps the region at `place`: a file that the agent has made, or the folder of a PCI device. False with a reason.
static inline bool netlib_map(struct netlib_region *region, const char *place, char error[NETLIB_TEXT])
{
	char path[NETLIB_PATH + 32];
	uint64_t address = 0;
	void *memory = MAP_FAILED;
	const char *source_path = place;
	int source;

	snprintf(path, sizeof path, "%s/resource", place);
	region->is_on_host = access(path, F_OK) != 0;
	if (!region->is_on_host) {
		if (!netlib_enable(place, &address, error)) return false;
		snprintf(path, sizeof path, "%s/config", place);
		// A mapping of the device's own file would be uncached, which is a hundred times slower. Opened without O_SYNC, /dev/mem maps
		// as the processor's memory type range registers say, and that is write-back for addresses above 4 GiB.
		source_path = "/dev/mem";
	}
	region->file = open(region->is_on_host ? place : path, O_RDWR | O_CLOEXEC);
	if (region->file < 0)
		return netlib_fail(error, place, region->is_on_host && errno == ENOENT ? "the agent has not made it" : strerror(errno));
	source = region->is_on_host ? region->file : open(source_path, O_RDWR | O_CLOEXEC);
	if (source >= 0)
		memory = mmap(NULL, VMRING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, source, (off_t)address);
	if (memory == MAP_FAILED) {
		netlib_fail(error, source_path, strerror(errno));
		close(region->file);
	}
	// The mapping stays.
	if (source >= 0 && source != region->file) close(source);
	region->memory = (uint8_t *)memory;
	return memory != MAP_FAILED;
}

// MARK: Finding

/// Files, or folders of PCI devices.
struct netlib_places {
	char packets[NETLIB_PATH], rings[NETLIB_PATH];
};

static inline int netlib_is_named(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/// Where packets and rings are: what RINGWAY_PACKETS and RINGWAY_RINGS name, as `ringway nf run` sets them; without these the two
/// devices of a virtual machine, of which the first by its address has the packets.
static inline bool netlib_find(struct netlib_places *places, char error[NETLIB_TEXT])
{
	const char *packets = getenv("RINGWAY_PACKETS"), *rings = getenv("RINGWAY_RINGS");
	struct dirent **entries = NULL;
	uint64_t numbers[2];
	char text[160];
	int found = 0, count;

	if (packets && rings) {
		snprintf(places->packets, sizeof places->packets, "%s", packets);
		snprintf(places->rings, sizeof places->rings, "%s", rings);
		return true;
	}
	count = scandir(NETLIB_DEVICES, &entries, netlib_is_named, alphasort);
	for (int i = 0; i < count; i++) {
		char device[NETLIB_PATH];

		snprintf(device, sizeof device, NETLIB_DEVICES "/%s", entries[i]->d_name);
		free(entries[i]);
		// QEMU, docs/specs/ivshmem-spec.txt.
		if (netlib_attribute(device, "vendor", 0, numbers) < 1 || numbers[0] != 0x1af4) continue;
		if (netlib_attribute(device, "device", 0, numbers) < 1 || numbers[0] != 0x1110) continue;
		if (found < 2) memcpy(found == 0 ? places->packets : places->rings, device, sizeof device);
		found++;
	}
	free(entries);
	if (found == 2) return true;
	snprintf(text, sizeof text,
		"not set, as 'ringway nf run' does on the host, and there are %d devices with shared memory (ivshmem), as two are in a "
		"virtual machine",
		found);
	return netlib_fail(error, "RINGWAY_PACKETS and RINGWAY_RINGS", text);
}

// MARK: Speed

static inline uint64_t netlib_nanoseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/// Nanoseconds that it takes to read a line which the processor has in its cache, if it keeps any of this memory there: the least of
/// some tries.
static inline uint64_t netlib_read_time(const struct netlib_region *region)
{
	enum { TRIES = 20, READS = 100 };
	const uint64_t *word = (const uint64_t *)(const void *)region->memory;
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		uint64_t start = netlib_nanoseconds(), taken;

		for (int j = 0; j < READS; j++) (void)vmring_load(word);
		taken = (netlib_nanoseconds() - start) / READS;
		if (taken < least) least = taken;
	}
	return least;
}

#endif
