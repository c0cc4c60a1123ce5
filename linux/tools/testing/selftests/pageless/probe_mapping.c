// SPDX-License-Identifier: GPL-2.0
/*
 * Print how a DAX file's faults map it: for a mapping that allows 2 MiB entries
 * and one that does not, the level read back from the page tables and the
 * number of faults that touching 2 MiB took.  For demonstrations; fails if a level
 * is another one.
 */
#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>
#include "dax_test.h"

static const char * const level_name[] = { "none", "4K", "2M" };

static bool probe(bool huge, bool write)
{
	int fd = dax_create(PMD_SZ);
	char *p = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, huge);
	long before = dax_faults(), faults;
	enum dax_level level;

	dax_touch(p, PMD_SZ, write);
	faults = dax_faults() - before;
	level = dax_level(p);
	printf("%s-mapping %s-faults: level %s, %ld faults\n", huge ? "2M" : "4K",
	       write ? "write" : "read", level_name[level], faults);
	munmap(p, PMD_SZ);
	close(fd);
	return level == (huge ? DAX_2M : DAX_4K);
}

int main(int argc, char **argv)
{
	bool ok = true;

	dax_init(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int huge = 0; huge < 2; huge++)
		for (int write = 0; write < 2; write++)
			ok &= probe(huge, write);
	return !ok;
}
