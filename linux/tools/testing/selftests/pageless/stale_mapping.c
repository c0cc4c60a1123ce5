// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps a 4 KiB and a 2 MiB mapping of a DAX file until told to touch them, which
 * the unbind scenario does after the device went away and came back. Both must
 * raise SIGBUS: else a process reads and writes the data of the next owner. What it
 * had stored and not synced is lost, which its next fsync() says by EIO.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include "dax_test.h"

static int touch(const char *what, char *p)
{
	int load = dax_try_load(p), store = dax_try_store(p, 1);

	printf("%s: load %d, store %d\n", what, load, store);
	return load == SIGBUS && store == SIGBUS;
}

static int sync_fails(int fd)
{
	int err = fsync(fd) ? errno : 0;

	printf("fsync: %s\n", strerror(err));
	return err == EIO;
}

int main(int argc, char **argv)
{
	char *huge, *small, line[16];
	int fd;

	dax_init(argc, argv);
	fd = dax_create(2 * PMD_SZ);
	huge = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, true);
	small = dax_map(fd, PMD_SZ, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED, false);
	dax_populate(huge, PMD_SZ);
	dax_populate(small, PMD_SZ);
	if (dax_level(huge) != DAX_2M || dax_level(small) != DAX_4K)
		dax_die("the mappings are not 2 MiB and 4 KiB");
	puts("mapped");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	return !(touch("2 MiB", huge) & touch("4 KiB", small) & sync_fails(fd));
}
