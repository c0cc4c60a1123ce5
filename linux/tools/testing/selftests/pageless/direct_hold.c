// SPDX-License-Identifier: GPL-2.0
/*
 * Keep direct I/O in flight, into a DAX mapping and from it, each of 2 MiB that is
 * mapped as a whole and of 2 MiB by 4 KiB, until a line comes on standard input;
 * then open the gate and tell the results.  For scenarios that take the device
 * away meanwhile.
 */
#include <sys/mman.h>
#include "direct_async.h"

#define LEN (PMD_SZ / 2)

int main(int argc, char **argv)
{
	struct in_flight into[2], from[2];
	char line[64], *p[2];
	bool early = false;
	int fd, other;

	dax_init(argc, argv);
	other = open(dax.other, O_RDWR | O_DIRECT);
	if (other < 0)
		dax_die("open %s", dax.other);
	fd = dax_create(2 * PMD_SZ);
	close_gate();
	for (int huge = 0; huge < 2; huge++) {
		p[huge] = dax_map(fd, huge * PMD_SZ, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, huge);
		dax_populate(p[huge], PMD_SZ);
		if (dax_level(p[huge]) != (huge ? DAX_2M : DAX_4K))
			dax_die("mapped by other entries");
		start_io(&into[huge], other, true, p[huge], LEN);
		start_io(&from[huge], other, false, p[huge] + LEN, LEN);
	}
	printf("in flight, %ld pinned\n", dax_pins());
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		dax_die("no line to end");
	for (int huge = 0; huge < 2; huge++)
		early |= io_done(&into[huge]) || io_done(&from[huge]);
	printf("%s\n", early ? "done too early" : "still in flight");
	open_gate();
	for (int huge = 0; huge < 2; huge++)
		printf("%s: into %ld, from %ld\n", huge ? "2m" : "4k",
		       io_result(&into[huge]), io_result(&from[huge]));
	return 0;
}
