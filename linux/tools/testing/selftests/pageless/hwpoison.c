// SPDX-License-Identifier: GPL-2.0
/*
 * An uncorrectable memory error in DAX memory: those who map it get SIGBUS with
 * the address and the size of what they lost, their other memory stays.  If it
 * does not reach them, they go on computing with bad data or die unexplained.
 *
 * The memory is good, but stays marked, so the files are left in the directory:
 * their blocks must not be given to others.
 */
#include <sys/prctl.h>
#include "dax_fixture.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static const char hard_offline[] = "/sys/devices/system/memory/hard_offline_page";

static sig_atomic_t signals;	/* accessed atomically */
static siginfo_t last;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	last = *info;
	__atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

static int signals_caught(void)
{
	return __atomic_load_n(&signals, __ATOMIC_RELAXED);
}

static void catch_sigbus(void)
{
	struct sigaction act = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &act, NULL);
}

static bool wait_for_signal(void)
{
	return DAX_EVENTUALLY(signals_caught());
}

/* How the siginfo differs from a memory error at @p; 0: not at all. */
static int wrong_siginfo(const char *p, bool huge, bool action_required)
{
	int code = action_required ? BUS_MCEERR_AR : BUS_MCEERR_AO;

	if (last.si_code != code)
		return 2;
	if (last.si_addr != p)
		return 3;
	return last.si_addr_lsb == (huge ? 21 : 12) ? 0 : 4;
}

/* A process that wants to hear of errors early, and what it heard. */
static pid_t early_child(struct __test_metadata *_metadata, const char *p, bool huge)
{
	int ready[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		catch_sigbus();
		if (prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) ||
		    dax_try_load(p) || write(ready[1], "x", 1) != 1 || !wait_for_signal())
			_exit(1);
		_exit(wrong_siginfo(p, huge, false));
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	return pid;
}

/* Why errors cannot be injected here, or NULL. */
static const char *no_poison(void)
{
	if (!dax.check)
		return "would poison DRAM";
	return access(hard_offline, W_OK) ? "wants CONFIG_MEMORY_FAILURE and root" : NULL;
}

TEST_F(map, madvise_raises_sigbus)
{
	char *bad = self->p + PMD_SZ + 5 * PAGE_SZ;

	if (no_poison())
		SKIP(return, "%s", no_poison());
	catch_sigbus();
	ASSERT_EQ(0, madvise(bad, PAGE_SZ, MADV_HWPOISON)) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(1, signals_caught());
	EXPECT_EQ(0, wrong_siginfo(bad, variant->huge, true))
		TH_LOG("code %d addr %p (page %p) lsb %d", last.si_code, last.si_addr, bad,
		       last.si_addr_lsb);
}

TEST_F(map, neighbours_stay_alive)
{
	char *bad = self->p + PMD_SZ + 5 * PAGE_SZ;
	size_t before = PMD_SZ, after = 2 * PMD_SZ;

	if (no_poison())
		SKIP(return, "%s", no_poison());
	catch_sigbus();
	ASSERT_EQ(0, madvise(bad, PAGE_SZ, MADV_HWPOISON));
	EXPECT_EQ(-1, dax_mismatch(self->p, before, 0, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + after, MAP_LEN - after, after, 0));
	dax_fill(self->p, before, 0, 1);
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, 0, before, 1));
	WHEN(!variant->huge, EXPECT_EQ(-1, dax_mismatch(bad + PAGE_SZ, PAGE_SZ, PMD_SZ + 6 * PAGE_SZ, 0)));
}

/* The entries are gone from the page tables, by their whole size. */
TEST_F(map, poisoned_memory_is_unmapped)
{
	char *bad = self->p + PMD_SZ + 5 * PAGE_SZ;

	if (no_poison())
		SKIP(return, "%s", no_poison());
	catch_sigbus();
	ASSERT_EQ(0, madvise(bad, PAGE_SZ, MADV_HWPOISON));
	EXPECT_FALSE(!!(dax_pagemap(bad) & PM_PRESENT));
	EXPECT_EQ(!variant->huge, !!(dax_pagemap(bad + PAGE_SZ) & PM_PRESENT));
	EXPECT_TRUE(!!(dax_pagemap(self->p) & PM_PRESENT));
}

TEST_F(map, second_process_hears_of_it)
{
	char *bad = self->p + 7 * PAGE_SZ;
	pid_t pid;

	if (no_poison())
		SKIP(return, "%s", no_poison());
	pid = early_child(_metadata, bad, variant->huge);
	catch_sigbus();
	ASSERT_EQ(0, madvise(bad, PAGE_SZ, MADV_HWPOISON));
	EXPECT_EQ(1, signals_caught());
	EXPECT_EQ(0, dax_wait(pid)) TH_LOG("1: no signal; wrong 2: code, 3: address, 4: lsb");
}

/* By physical address, from outside of the processes that map it. */
TEST_F(map, hard_offline_reaches_the_mappers)
{
	char *bad = self->p + 2 * PMD_SZ, addr[32];
	uint64_t pfn = dax_pagemap(bad) & PM_PFN_MASK;
	pid_t pid;

	if (no_poison())
		SKIP(return, "%s", no_poison());
	ASSERT_NE(0UL, pfn);
	pid = early_child(_metadata, bad, variant->huge);
	/* Only the child maps it now. */
	ASSERT_EQ(0, munmap(self->p, MAP_LEN));
	snprintf(addr, sizeof(addr), "%#lx", (long)pfn * PAGE_SZ);
	ASSERT_EQ(0, dax_write_path(hard_offline, addr)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, dax_wait(pid)) TH_LOG("1: no signal; wrong 2: code, 3: address, 4: lsb");
	/* For the teardown. */
	self->p = dax_map(self->fd, 0, MAP_LEN, PROT_READ, MAP_SHARED, variant->huge);
}

/*
 * Nobody gets the data of a bad block.  Who writes all of it makes it good where the
 * platform can: PAGELESS_CLEARS says so.
 */
TEST_F(map, bad_block_is_refused_until_it_is_written)
{
	off_t off = PMD_SZ + 5 * PAGE_SZ;
	uint64_t buf[PAGE_SZ / 8];
	char *p;

	if (no_poison())
		SKIP(return, "%s", no_poison());
	catch_sigbus();
	ASSERT_EQ(0, madvise(self->p + off, PAGE_SZ, MADV_HWPOISON));
	EXPECT_EQ(EIO, ERRNO_OF(pread(self->fd, buf, PAGE_SZ, off)));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off - PAGE_SZ, PAGE_SZ, 0));
	p = dax_map(self->fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, false);
	EXPECT_EQ(SIGBUS, dax_try_load(p + off));
	EXPECT_EQ(BUS_MCEERR_AR, dax_siginfo.si_code);
	EXPECT_EQ(-1, dax_mismatch(p + off - PAGE_SZ, PAGE_SZ, off - PAGE_SZ, 0));

	dax_fill(buf, PAGE_SZ, off, 1);
	if (!getenv("PAGELESS_CLEARS")) {
		EXPECT_EQ(-1, pwrite(self->fd, buf, PAGE_SZ, off));
		return;
	}
	ASSERT_EQ((ssize_t)PAGE_SZ, pwrite(self->fd, buf, PAGE_SZ, off));
	EXPECT_EQ(-1, dax_file_mismatch(self->fd, off, PAGE_SZ, 1));
	EXPECT_EQ(0, dax_try_load(p + off));
	EXPECT_EQ(-1, dax_mismatch(p + off, PAGE_SZ, off, 1));
}

TEST_F(map, soft_offline_is_refused)
{
	int err;

	if (no_poison())
		SKIP(return, "%s", no_poison());
	err = ERRNO_OF(madvise(self->p, PAGE_SZ, MADV_SOFT_OFFLINE));
	EXPECT_EQ(EOPNOTSUPP, err);
	EXPECT_EQ(-1, dax_mismatch(self->p, MAP_LEN, 0, 0));
}

int main(int argc, char **argv)
{
	dax_init(argc, argv);
	dax.keep = true;
	atexit(exit_skip_if_all_skipped);
	return test_harness_run(argc, argv);
}
