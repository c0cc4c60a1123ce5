// SPDX-License-Identifier: GPL-2.0
/*
 * Copy a file with O_DIRECT on both sides through a buffer that is a mapping of a
 * DAX file, as dd with iflag=direct,oflag=direct does through DRAM:
 *
 *	direct_copy FROM TO BUFFERFILE BLOCKSIZE
 *
 * Reads and writes are of BLOCKSIZE bytes, the last shorter, at successive places
 * of the buffer.  Says how many bytes it copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "dax_test.h"

#define BUFFER (2 * PMD_SZ)

static char *map_buffer(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		dax_die("%s", path);
	errno = EMEDIUMTYPE;
	if (!dax_is_dax(fd))
		dax_die("%s is not DAX", path);
	if (fallocate(fd, 0, 0, BUFFER))
		dax_die("fallocate");
	return dax_map(fd, 0, BUFFER, PROT_READ | PROT_WRITE, MAP_SHARED, true);
}

int main(int argc, char **argv)
{
	size_t size, block, at = 0;
	off_t done = 0;
	struct stat st;
	char *buf;
	int from, to;

	if (argc != 5)
		ksft_exit_fail_msg("usage: direct_copy FROM TO BUFFERFILE BLOCKSIZE\n");
	from = open(argv[1], O_RDONLY | O_DIRECT);
	to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	buf = map_buffer(argv[3]);
	block = strtoul(argv[4], NULL, 0);
	if (from < 0 || to < 0 || !block || block > BUFFER)
		dax_die("%s to %s by %zu", argv[1], argv[2], block);
	for (;;) {
		ssize_t n = pread(from, buf + at, block, done);

		if (n < 0)
			dax_die("read at %ld", (long)done);
		if (!n)
			break;
		/* The tail of a file is not a whole block of the device. */
		size = (n + PAGE_SZ - 1) / PAGE_SZ * PAGE_SZ;
		if (pwrite(to, buf + at, size, done) != (ssize_t)size)
			dax_die("write at %ld", (long)done);
		done += n;
		at = (at + block) % BUFFER + block > BUFFER ? 0 : (at + block) % BUFFER;
	}
	if (fstat(to, &st) || (S_ISREG(st.st_mode) && ftruncate(to, done)) || fsync(to))
		dax_die("%s", argv[2]);
	printf("%ld bytes\n", (long)done);
	return 0;
}
