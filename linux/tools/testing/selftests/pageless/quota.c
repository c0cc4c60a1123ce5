// SPDX-License-Identifier: GPL-2.0
/*
 * A user's block quota limits what stores into holes of a mapped DAX file can
 * allocate: SIGBUS beyond it, and write() says EDQUOT.  Without this, mmap is
 * the way around every quota.  Wants a mount with -o usrquota.
 */
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/dqblk_xfs.h>
#include "dax_fixture.h"

#define USER	54321
#define LIMIT	(64 * PAGE_SZ)
#define SIZE	(256 * PAGE_SZ)

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

FIXTURE(quota)
{
	int fd;
};

static int set_limit(int fd, uint64_t bytes)
{
	struct if_dqblk {
		uint64_t bhardlimit, bsoftlimit, curspace, ihardlimit, isoftlimit, curinodes;
		uint64_t btime, itime;
		uint32_t valid;
	} dq = { .bhardlimit = bytes / 1024, .bsoftlimit = bytes / 1024, .valid = QIF_BLIMITS };

	return syscall(SYS_quotactl_fd, fd, QCMD(Q_SETQUOTA, USRQUOTA), USER, &dq);
}

/* ext4 can count without limiting. */
static bool limits_enforced(int fd)
{
	struct fs_quota_stat stat = { .qs_version = FS_QSTAT_VERSION };

	return !syscall(SYS_quotactl_fd, fd, QCMD(Q_XGETQSTAT, USRQUOTA), 0, &stat) &&
	       (stat.qs_flags & FS_QUOTA_UDQ_ENFD);
}

FIXTURE_SETUP(quota)
{
	self->fd = dax_tmpfile(dax.dir);
	WHEN(dax.check, ASSERT_TRUE(dax_is_dax(self->fd)));
	if (!limits_enforced(self->fd) || set_limit(self->fd, LIMIT))
		SKIP(return, "no user quota here: mount -o usrquota");
	ASSERT_EQ(0, fchown(self->fd, USER, -1));
	ASSERT_EQ(0, ftruncate(self->fd, SIZE));
}

FIXTURE_TEARDOWN(quota)
{
	set_limit(self->fd, 0);
	close(self->fd);
}

/* Pages that USER can store to before SIGBUS; -1: something else went wrong. */
static int pages_stored(int fd)
{
	int report[2], n = 0;
	pid_t pid;

	if (pipe(report))
		dax_die("pipe");
	pid = fork();
	if (!pid) {
		char *p = dax_map(fd, 0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, false);
		int sig = 0;

		if (setresuid(USER, USER, USER))
			_exit(1);
		for (; n < (int)(SIZE / PAGE_SZ) && !sig; n += !sig)
			sig = dax_try_store(p + n * PAGE_SZ, 'x');
		_exit((sig && sig != SIGBUS) || write(report[1], &n, sizeof(n)) != sizeof(n));
	}
	if (dax_wait(pid) || read(report[0], &n, sizeof(n)) != sizeof(n))
		n = -1;
	close(report[0]);
	close(report[1]);
	return n;
}

/* XFS gives the blocks of a file that was deleted back later, in the background. */
static int pages_stored_in_the_end(int fd)
{
	int n;

	DAX_EVENTUALLY((n = pages_stored(fd)));
	return n;
}

static int write_errno_as_user(int fd)
{
	pid_t pid = fork();

	if (!pid) {
		char buf[PAGE_SZ];

		memset(buf, 'y', sizeof(buf));
		if (setresuid(USER, USER, USER))
			_exit(1);
		_exit(ERRNO_OF(pwrite(fd, buf, sizeof(buf), SIZE - PAGE_SZ)));
	}
	return dax_wait(pid);
}

TEST_F(quota, stores_beyond_the_limit_get_sigbus)
{
	struct stat st;
	int n = pages_stored_in_the_end(self->fd);

	EXPECT_LT(0, n);
	EXPECT_GE((int)(LIMIT / PAGE_SZ), n);
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_GE((long)LIMIT, (long)st.st_blocks * 512);
	EXPECT_EQ(EDQUOT, write_errno_as_user(self->fd));
}

TEST_F(quota, no_limit_no_sigbus)
{
	ASSERT_LT(0, pages_stored_in_the_end(self->fd));
	ASSERT_EQ(0, set_limit(self->fd, 0));
	EXPECT_EQ((int)(SIZE / PAGE_SZ), pages_stored(self->fd));
	EXPECT_EQ(0, write_errno_as_user(self->fd));
}

DAX_TEST_MAIN
