// What a hostile program in a virtual machine does to the shared memory of its devices.
//
//   probe find TEXT     says how often TEXT is in what is used of both regions
//   probe touch         writes to each page of both devices
#define _GNU_SOURCE
#include "vmring.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char devices[] = "/sys/bus/pci/devices";

static unsigned long long attribute(const char *device, const char *name, int line)
{
	char path[512], text[128] = "";
	FILE *file;

	snprintf(path, sizeof path, "%s/%s/%s", devices, device, name);
	if (!(file = fopen(path, "r"))) return 0;
	while (line-- >= 0 && fgets(text, sizeof text, file)) {
	}
	fclose(file);
	return strtoull(text, NULL, 0);
}

// The shared memory of the devices, in the order of their addresses: packets, rings.
static int find_regions(char *regions[2])
{
	struct dirent **entries;
	int memory = open("/dev/mem", O_RDWR), found = 0;
	int count = scandir(devices, &entries, NULL, alphasort);

	for (int i = 0; i < count && found < 2; i++) {
		const char *name = entries[i]->d_name;

		if (attribute(name, "vendor", 0) != 0x1af4 || attribute(name, "device", 0) != 0x1110) continue;
		regions[found] = mmap(NULL, VMRING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory,
			(off_t)attribute(name, "resource", 2));
		if (regions[found] == MAP_FAILED) return 0;
		found++;
	}
	return found;
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

int main(int count, char **words)
{
	char *regions[2];

	if (find_regions(regions) != 2) {
		puts("probe: there are no two regions");
		return 1;
	}
	if (count == 3 && !strcmp(words[1], "find")) {
		printf("probe: found %d\n", find(regions, words[2]));
	} else if (count == 2 && !strcmp(words[1], "touch")) {
		for (size_t page = 0; page < VMRING_FILE_SIZE; page += 4096) {
			for (int i = 0; i < 2; i++) ((volatile char *)regions[i])[page] += 0;
		}
		puts("probe: touched all");
	} else {
		return 2;
	}
	return 0;
}
