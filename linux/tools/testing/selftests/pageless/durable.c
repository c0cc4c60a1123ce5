// SPDX-License-Identifier: GPL-2.0
/*
 * Overwrite records of a file or a block device in an order that a seed gives, and
 * print a line for each one that is durable; after a power cut compare.  Says
 * whether what was acknowledged can be lost, and whether sectors are torn.
 *
 *   durable write FILE HOW SEED           until it is killed; a line "HOW N" a record
 *   durable verify FILE HOW SEED COUNT    after COUNT lines were seen; a pair for
 *                  [SEED COUNT]...        each run that wrote FILE, the oldest first
 *
 * HOW: fsync (write, fsync), map (MAP_SYNC store, flush), fua (O_DIRECT and O_DSYNC),
 * flush (O_DIRECT, then fsync), cache (as fua).  A record is of 8 sectors, and each of
 * them says which write it is of.
 *
 * Memory does not promise that a sector is whole that was being written, so one write
 * of the last run may be torn, if it was not acknowledged.  verify makes it anew, that
 * later runs find no torn sector without an excuse.  A cache gives no such excuse: flush
 * and cache.
 */
#define _GNU_SOURCE
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

#define SECTOR	512
#define RECORD	4096
#define SLOTS	1024
struct sector {
	uint64_t seed, slot, seq, index;
	uint64_t fill[SECTOR / 8 - 4];
};

/* Write number @n goes to this slot, and is of sequence @n + 1. */
static uint64_t slot_of(uint64_t seed, uint64_t n)
{
	uint64_t x = (seed << 32 ^ n) * 0x9e3779b97f4a7c15ULL;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return (x ^ x >> 32) % SLOTS;
}

static void make_sector(struct sector *s, uint64_t seed, uint64_t slot, uint64_t seq, uint64_t index)
{
	*s = (struct sector){ .seed = seed, .slot = slot, .seq = seq, .index = index };
	/* Of the seed too: a header that is half of one run and half of another is of none. */
	for (unsigned int i = 0; i < SECTOR / 8 - 4; i++)
		s->fill[i] = (seed * 0x100000001b3ULL + seq * 1000003 + slot * 8191 + index * 131 + i) *
			     0x9e3779b97f4a7c15ULL;
}

static bool sector_intact(const struct sector *s, uint64_t seed, uint64_t slot, uint64_t index)
{
	struct sector wanted;

	make_sector(&wanted, seed, slot, s->seq, index);
	return s->seq && !memcmp(s, &wanted, SECTOR);
}

static void make_record(struct sector *r, uint64_t seed, uint64_t n)
{
	for (int i = 0; i < RECORD / SECTOR; i++)
		make_sector(r + i, seed, slot_of(seed, n), n + 1, i);
}

static bool is(const char *how, const char *one, const char *other)
{
	return !strcmp(how, one) || !strcmp(how, other);
}

static int open_file(const char *file, const char *how)
{
	int flags = O_RDWR | O_CREAT;
	int fd;

	if (is(how, "fua", "cache"))
		flags |= O_DIRECT | O_DSYNC;
	if (!strcmp(how, "flush"))
		flags |= O_DIRECT;
	fd = open(file, flags, 0600);
	if (fd < 0)
		dax_die("open %s", file);
	return fd;
}

static bool write_record(int fd, const char *how, char *map, void *buf, off_t at)
{
	if (map) {
		memcpy(map + at, buf, RECORD);
		dax_flush(map + at, RECORD);
		return true;
	}
	return pwrite(fd, buf, RECORD, at) == RECORD && (is(how, "fua", "cache") || !fsync(fd));
}

static int write_records(const char *file, const char *how, uint64_t seed)
{
	int fd = open_file(file, how);
	struct sector *buf = aligned_alloc(RECORD, RECORD);
	char *map = NULL;
	struct stat st;

	if (fstat(fd, &st) || (S_ISREG(st.st_mode) && (posix_fallocate(fd, 0, SLOTS * RECORD) || fsync(fd))))
		dax_die("allocate %s", file);
	if (!strcmp(how, "map")) {
		map = mmap(NULL, SLOTS * RECORD, PROT_READ | PROT_WRITE,
			   MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
		if (map == MAP_FAILED)
			dax_die("MAP_SYNC %s", file);
	}
	for (uint64_t n = 0;; n++) {
		char line[32];
		int len;

		make_record(buf, seed, n);
		if (!write_record(fd, how, map, buf, slot_of(seed, n) * RECORD))
			dax_die("write %llu", (unsigned long long)n);
		len = snprintf(line, sizeof(line), "%s %llu\n", how, (unsigned long long)n + 1);
		if (write(STDOUT_FILENO, line, len) != len)
			dax_die("acknowledge");
	}
}

/* What verify knows of the runs, and of each slot. */
struct run {
	uint64_t seed, count;
};

static struct acked {
	int run;	/* the last one with an acknowledged write there, or -1 */
	uint64_t seq;
} acked[SLOTS];

/* A file may be shorter than its slots if it was never acknowledged: those read as zeros. */
static void read_slot(int fd, struct sector *buf, uint64_t slot)
{
	memset(buf, 0, RECORD);
	if (pread(fd, buf, RECORD, slot * RECORD) < 0)
		dax_die("read slot %llu", (unsigned long long)slot);
}

/* How many writes had begun at least, whether their lines were seen or not. */
static uint64_t writes_begun(int fd, uint64_t seed, struct sector *buf)
{
	uint64_t most = 0;

	for (uint64_t slot = 0; slot < SLOTS; slot++) {
		read_slot(fd, buf, slot);
		for (int i = 0; i < RECORD / SECTOR; i++)
			if (buf[i].seq > most && sector_intact(buf + i, seed, slot, i))
				most = buf[i].seq;
	}
	return most;
}

enum verdict { GOOD, NEWER, LOST, TORN };

/* Lost: older than what was acknowledged. Torn: of no write at all. */
static enum verdict judge(const struct sector *s, uint64_t slot, int index,
			  const struct run *runs, int nr_runs)
{
	static const struct sector never;
	const struct acked *a = &acked[slot];
	int r;

	if (!memcmp(s, &never, SECTOR))
		return a->run < 0 ? GOOD : LOST;
	for (r = nr_runs - 1; r >= 0 && !sector_intact(s, runs[r].seed, slot, index); r--)
		;
	if (r < 0)
		return TORN;
	if (r == a->run && s->seq == a->seq)
		return GOOD;
	return r > a->run || (r == a->run && s->seq > a->seq) ? NEWER : LOST;
}

/* Make write @n anew if it is torn. */
static void finish_torn(int fd, const struct run *runs, int nr_runs, uint64_t n, struct sector *buf)
{
	uint64_t seed = runs[nr_runs - 1].seed, slot = slot_of(seed, n);
	bool torn = false;

	read_slot(fd, buf, slot);
	for (int i = 0; i < RECORD / SECTOR; i++)
		torn |= judge(buf + i, slot, i, runs, nr_runs) == TORN;
	if (!torn)
		return;
	printf("write %llu, which was under way, is torn\n", (unsigned long long)n + 1);
	make_record(buf, seed, n);
	if (pwrite(fd, buf, RECORD, slot * RECORD) != RECORD || fsync(fd))
		dax_die("write slot %llu", (unsigned long long)slot);
}

static int verify(const char *file, const char *how, const struct run *runs, int nr_runs)
{
	unsigned long found[TORN + 1] = {};
	struct sector *buf = aligned_alloc(RECORD, RECORD);
	const struct run *last = runs + nr_runs - 1;
	int fd = open(file, O_RDWR | O_CREAT, 0600);
	uint64_t n, slot;

	if (fd < 0)
		dax_die("open %s", file);
	for (slot = 0; slot < SLOTS; slot++)
		acked[slot].run = -1;
	for (int r = 0; r < nr_runs; r++)
		for (n = 0; n < runs[r].count; n++)
			acked[slot_of(runs[r].seed, n)] = (struct acked){ r, n + 1 };

	/* Under way was the last write of which anything is there, if not acknowledged, or the next. */
	if (!is(how, "flush", "cache")) {
		n = writes_begun(fd, last->seed, buf);
		if (n > last->count)
			finish_torn(fd, runs, nr_runs, n - 1, buf);
		else
			n = last->count;
		finish_torn(fd, runs, nr_runs, n, buf);
	}
	for (slot = 0; slot < SLOTS; slot++) {
		read_slot(fd, buf, slot);
		for (int i = 0; i < RECORD / SECTOR; i++) {
			enum verdict v = judge(buf + i, slot, i, runs, nr_runs);

			found[v]++;
			if (v == LOST || v == TORN)
				printf("slot %llu, sector %d: %s, of seed %llu, write %llu; acknowledged: %llu of run %d\n",
				       (unsigned long long)slot, i, v == LOST ? "lost" : "torn",
				       (unsigned long long)buf[i].seed, (unsigned long long)buf[i].seq,
				       (unsigned long long)acked[slot].seq, acked[slot].run);
		}
	}
	printf("%llu writes acknowledged; sectors lost: %lu, torn: %lu, newer: %lu\n",
	       (unsigned long long)last->count, found[LOST], found[TORN], found[NEWER]);
	return !found[LOST] && !found[TORN] ? KSFT_PASS : KSFT_FAIL;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "write"))
		return write_records(argv[2], argv[3], strtoull(argv[4], NULL, 0));
	if (argc >= 6 && argc % 2 == 0 && !strcmp(argv[1], "verify")) {
		int nr_runs = (argc - 4) / 2;
		struct run *runs = calloc(nr_runs, sizeof(*runs));

		for (int r = 0; r < nr_runs; r++)
			runs[r] = (struct run){ strtoull(argv[4 + 2 * r], NULL, 0),
						strtoull(argv[5 + 2 * r], NULL, 0) };
		return verify(argv[2], argv[3], runs, nr_runs);
	}
	fprintf(stderr, "usage: durable write FILE HOW SEED | verify FILE HOW SEED COUNT [SEED COUNT]...\n");
	return KSFT_FAIL;
}
