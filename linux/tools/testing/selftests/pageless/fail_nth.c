// SPDX-License-Identifier: GPL-2.0
/*
 * fail_nth N FILE TEXT: write TEXT to a sysfs FILE with the N-th allocation of the
 * write failing (CONFIG_FAULT_INJECTION), and print how many were left to go: 0
 * says that one failed. The scenario alloc-failure takes a driver's bind file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int nth, file, ret;
	char left[16] = "";

	if (argc != 4)
		return 2;
	nth = open("/proc/self/fail-nth", O_RDWR);
	file = open(argv[2], O_WRONLY);
	if (nth < 0 || file < 0 || write(nth, argv[1], strlen(argv[1])) < 0) {
		perror("fail_nth");
		return 2;
	}
	/* Nothing between these but the two system calls. */
	ret = write(file, argv[3], strlen(argv[3]));
	if (pread(nth, left, sizeof(left) - 1, 0) < 0 || write(nth, "0", 1) < 0)
		return 2;
	printf("%d\n", atoi(left));
	return ret < 0;
}
