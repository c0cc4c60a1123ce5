// SPDX-License-Identifier: GPL-2.0
/*
 * get_user_pages() and pin_user_pages() themselves, fast and slow, through
 * debugfs gup_test: none of a page-less mapping, all of a page-backed one, and
 * never a long-term pin of filesystem DAX.  Counts are checked, for gup_test
 * reports success when it got no page at all.
 */
#include "dax_fixture.h"

/* From mm/gup_test.h */
struct gup_test {
	uint64_t get_delta_usec;
	uint64_t put_delta_usec;
	uint64_t addr;
	uint64_t size;
	uint32_t nr_pages_per_call;
	uint32_t gup_flags;
	uint32_t test_flags;
	uint32_t which_pages[8];
};

struct pin_longterm_test {
	uint64_t addr;
	uint64_t size;
	uint32_t flags;
};

#define GUP_FAST_BENCHMARK	_IOWR('g', 1, struct gup_test)
#define PIN_FAST_BENCHMARK	_IOWR('g', 2, struct gup_test)
#define PIN_LONGTERM_BENCHMARK	_IOWR('g', 3, struct gup_test)
#define GUP_BASIC_TEST		_IOWR('g', 4, struct gup_test)
#define PIN_BASIC_TEST		_IOWR('g', 5, struct gup_test)
#define PIN_LONGTERM_TEST_START	_IOW('g', 7, struct pin_longterm_test)
#define PIN_LONGTERM_TEST_STOP	_IO('g', 8)

#define FOLL_WRITE 1

static const unsigned int calls[] = {
	GUP_FAST_BENCHMARK, PIN_FAST_BENCHMARK, GUP_BASIC_TEST, PIN_BASIC_TEST
};

static int open_gup_test(void)
{
	return open("/sys/kernel/debug/gup_test", O_RDWR);
}

/* Bytes that one call got. */
static long bytes_got(int gup, unsigned int call, char *p, size_t size, int flags)
{
	struct gup_test t = {
		.addr = (uintptr_t)p,
		.size = size,
		.nr_pages_per_call = size / PAGE_SZ,
		.gup_flags = flags,
	};

	return ioctl(gup, call, &t) ? -errno : (long)t.size;
}

static void expect_bytes(struct __test_metadata *_metadata, char *p, size_t size, int flags)
{
	long expected = dax.gup_errno ? 0 : size;
	int gup = open_gup_test();

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		long got = bytes_got(gup, calls[i], p, size, flags);

		EXPECT_EQ(expected, got) TH_LOG("call %u, %zu bytes", i, size);
	}
	close(gup);
}

static const char *no_gup_test(void)
{
	return access("/sys/kernel/debug/gup_test", W_OK) ? "no debugfs gup_test" : NULL;
}

TEST_F(map, faulted_in)
{
	if (no_gup_test())
		SKIP(return, "%s", no_gup_test());
	for (int flags = 0; flags <= FOLL_WRITE; flags++) {
		expect_bytes(_metadata, self->p, PAGE_SZ, flags);
		expect_bytes(_metadata, self->p + PMD_SZ - PAGE_SZ, 2 * PAGE_SZ, flags);
		expect_bytes(_metadata, self->p, PMD_SZ, flags);
	}
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

/* Write access to a clean entry: the fault comes from within. */
TEST_F(map, faulted_in_for_reading)
{
	if (no_gup_test())
		SKIP(return, "%s", no_gup_test());
	ASSERT_EQ(0, fsync(self->fd));
	expect_bytes(_metadata, self->p, PMD_SZ, FOLL_WRITE);
}

TEST_F(map, untouched)
{
	if (no_gup_test())
		SKIP(return, "%s", no_gup_test());
	for (int flags = 0; flags <= FOLL_WRITE; flags++) {
		char *q = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
				  variant->huge);

		expect_bytes(_metadata, q, PMD_SZ, flags);
		EXPECT_EQ(-1, dax_mismatch(q, MAP_LEN, 0, 0));
	}
}

TEST_F(map, long_term_pin_is_refused)
{
	struct pin_longterm_test t = { .addr = (uintptr_t)self->p, .size = PMD_SZ };
	int gup;

	if (no_gup_test())
		SKIP(return, "%s", no_gup_test());
	if (!dax.check)
		SKIP(return, "only DAX refuses it");
	gup = open_gup_test();
	EXPECT_EQ(0, bytes_got(gup, PIN_LONGTERM_BENCHMARK, self->p, PMD_SZ, FOLL_WRITE));
	/* Bit 0: for writing; bit 1: fast. */
	for (t.flags = 0; t.flags < 4; t.flags++) {
		int err = ERRNO_OF(ioctl(gup, PIN_LONGTERM_TEST_START, &t));

		EXPECT_EQ(EOPNOTSUPP, err) TH_LOG("flags %u", t.flags);
		ioctl(gup, PIN_LONGTERM_TEST_STOP);
	}
	close(gup);
}

DAX_TEST_MAIN
