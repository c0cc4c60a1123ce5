// SPDX-License-Identifier: GPL-2.0
/*
 * addpart DEVICE NUMBER START SECTORS: tell the kernel of a partition that no table
 * on the device has, so that all of the device's content is the test's own.
 * util-linux has the same program; Debian 13 leaves it out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/blkpg.h>

int main(int argc, char **argv)
{
	struct blkpg_partition part = { 0 };
	struct blkpg_ioctl_arg arg = { .op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part };
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: addpart DEVICE NUMBER START SECTORS\n");
		return 2;
	}
	part.pno = atoi(argv[2]);
	part.start = atoll(argv[3]) * 512;
	part.length = atoll(argv[4]) * 512;
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || ioctl(fd, BLKPG, &arg)) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
