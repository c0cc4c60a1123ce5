// SPDX-License-Identifier: GPL-2.0
/*
 * Append checksummed records to a file and log each one that the kernel has
 * acknowledged; --verify, after an unbind, a crash or a remount, that each of
 * them is there and intact.  Says whether acknowledged data can be lost.
 *
 *   acked FILE LOG [RECORDS]   write; stops at an I/O error or SIGBUS
 *   acked --verify FILE LOG    compare; fails if nothing was acknowledged
 *
 * FILE is on the DAX mount, LOG is not.  A record is written in one of three
 * ways in turn: write + fsync, store + msync, MAP_SYNC store + flush.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "kselftest.h"
#include "dax_test.h"

#define RECORD PAGE_SZ

/* A record is pattern seq + 1 of its place in the file. */
static void make_record(void *buf, uint64_t seq)
{
	dax_fill(buf, RECORD, seq * RECORD, seq + 1);
}

static bool by_write(int fd, uint64_t seq)
{
	uint64_t buf[RECORD / 8];

	make_record(buf, seq);
	return pwrite(fd, buf, RECORD, seq * RECORD) == RECORD && !fsync(fd);
}

/* Grow the file by one record and map it. */
static char *map_record(int fd, uint64_t seq, int flags)
{
	char *p;

	if (ftruncate(fd, (seq + 1) * RECORD))
		return NULL;
	p = mmap(NULL, RECORD, PROT_READ | PROT_WRITE, flags, fd, seq * RECORD);
	return p == MAP_FAILED ? NULL : p;
}

/* SIGBUS at the first store says that the device is gone. */
static bool store_record(char *p, uint64_t seq)
{
	if (!p)
		return false;
	if (dax_try_store(p, 0)) {
		errno = EIO;
		return false;
	}
	make_record(p, seq);
	return true;
}

static bool by_msync(int fd, uint64_t seq)
{
	char *p = map_record(fd, seq, MAP_SHARED);
	bool ok = store_record(p, seq) && !msync(p, RECORD, MS_SYNC);

	if (p)
		munmap(p, RECORD);
	return ok;
}

/* The size of the file is metadata that MAP_SYNC makes durable as well. */
static bool by_flush(int fd, uint64_t seq)
{
	char *p = map_record(fd, seq, MAP_SHARED_VALIDATE | MAP_SYNC);
	bool ok;

	if (!p && errno == EOPNOTSUPP)
		return by_msync(fd, seq);
	ok = store_record(p, seq);
	if (ok)
		dax_flush(p, RECORD);
	if (p)
		munmap(p, RECORD);
	return ok;
}

static bool write_record(int fd, uint64_t seq)
{
	switch (seq % 3) {
	case 0:
		return by_write(fd, seq);
	case 1:
		return by_msync(fd, seq);
	default:
		return by_flush(fd, seq);
	}
}

/* The device can go between the first store and the rest. */
static void on_sigbus(int sig)
{
	static const char text[] = "stopped by SIGBUS\n";

	(void)sig;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(0);
}

static int write_records(const char *file, const char *log, uint64_t count)
{
	int fd = open(file, O_RDWR | O_CREAT, 0600);
	int logfd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint64_t seq;

	if (fd < 0 || logfd < 0)
		dax_die("open %s, %s", file, log);
	signal(SIGBUS, on_sigbus);
	for (seq = 0; seq < count; seq++) {
		if (!write_record(fd, seq))
			break;
		if (write(logfd, &seq, sizeof(seq)) != sizeof(seq))
			dax_die("write %s", log);
		if (!seq)
			printf("ready\n");
	}
	if (seq < count)
		printf("stopped after %llu records: %s\n", (unsigned long long)seq, strerror(errno));
	return 0;
}

static int verify(const char *file, const char *log)
{
	int fd = open(file, O_RDONLY), logfd = open(log, O_RDONLY);
	unsigned long long acked = 0, bad = 0;
	uint64_t buf[RECORD / 8], seq;

	if (fd < 0 || logfd < 0)
		dax_die("open %s, %s", file, log);
	for (; read(logfd, &seq, sizeof(seq)) == sizeof(seq); acked++) {
		if (pread(fd, buf, RECORD, seq * RECORD) == RECORD &&
		    dax_mismatch(buf, RECORD, seq * RECORD, seq + 1) < 0)
			continue;
		if (!bad++)
			printf("record %llu is lost or damaged\n", (unsigned long long)seq);
	}
	printf("%llu records acknowledged, %llu bad\n", acked, bad);
	return acked && !bad ? KSFT_PASS : KSFT_FAIL;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "--verify"))
		return verify(argv[2], argv[3]);
	if (argc == 3)
		return write_records(argv[1], argv[2], UINT64_MAX);
	if (argc == 4)
		return write_records(argv[1], argv[2], strtoull(argv[3], NULL, 0));
	fprintf(stderr, "usage: acked [--verify] FILE LOG [RECORDS]\n");
	return KSFT_FAIL;
}
