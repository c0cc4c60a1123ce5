/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Direct I/O that is in flight for as long as a test wants.  OTHER is then a
 * device-mapper device, named PAGELESS_GATE: suspended it holds what it is
 * sent, and lets go when it is resumed.  Without a gate OTHER is a device that
 * is slow, and its completions say what came first.
 */
#ifndef DIRECT_ASYNC_H
#define DIRECT_ASYNC_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/aio_abi.h>
#include <linux/dm-ioctl.h>
#include <sys/syscall.h>
#include "dax_test.h"

struct in_flight {
	aio_context_t ctx;
	struct iocb cb;
	long res;
	bool done;
};

static inline const char *gate(void)
{
	return getenv("PAGELESS_GATE");
}

/*
 * A resume is an event, at which udev reads the disk: into a page that it holds when the gate is closed
 * again, and a direct write would wait for that page.  So the event says, as libdevmapper's cookies do,
 * that udev's rules for disks, for subsystems and others are not for it.
 */
#define NO_UDEV_RULES	(0xeU << 16)

static inline void gate_ioctl(unsigned int flags)
{
	struct dm_ioctl arg = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(arg),
		.flags = flags,
		.event_nr = NO_UDEV_RULES,
	};
	int fd;

	if (!gate())
		return;
	fd = open("/dev/mapper/control", O_RDWR);
	snprintf(arg.name, sizeof(arg.name), "%s", gate());
	if (fd < 0 || ioctl(fd, DM_DEV_SUSPEND, &arg))
		dax_die("suspend or resume %s", arg.name);
	close(fd);
}

static inline void close_gate(void)
{
	gate_ioctl(DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG);
}

/* Of an open gate too. */
static inline void open_gate(void)
{
	gate_ioctl(0);
}

/* Start one read into, or write from, @buf. */
static inline void start_io(struct in_flight *io, int other, bool into, void *buf, size_t len)
{
	struct iocb *cb = &io->cb;

	*io = (struct in_flight){
		.cb = {
			.aio_lio_opcode = into ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
			.aio_fildes = other,
			.aio_buf = (uintptr_t)buf,
			.aio_nbytes = len,
		},
	};
	if (syscall(SYS_io_setup, 1, &io->ctx))
		dax_die("io_setup");
	if (syscall(SYS_io_submit, io->ctx, 1, &cb) != 1)
		dax_die("io_submit");
}

static inline bool io_events(struct in_flight *io, int wanted)
{
	struct timespec no_time = { 0 };
	struct io_event event;

	if (io->done)
		return true;
	if (syscall(SYS_io_getevents, io->ctx, wanted, 1, &event, wanted ? NULL : &no_time) != 1)
		return false;
	io->res = event.res;
	io->done = true;
	return true;
}

/* Whether it has completed. */
static inline bool io_done(struct in_flight *io)
{
	return io_events(io, 0);
}

/* Wait for its result. */
static inline long io_result(struct in_flight *io)
{
	if (!io_events(io, 1))
		dax_die("io_getevents");
	return io->res;
}

/*
 * Wait until thread @tid sleeps in the kernel and goes on doing so, or *@done is
 * set.  XFS waits in a loop for the second of two files, so there is an end to
 * that too.  A wrong guess makes a test weaker, never fail.
 */
static inline void wait_until_blocked(pid_t tid, const bool *done)
{
	char path[64], stat[512], *state;
	int sleeping = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (int i = 0; i < 400 && !__atomic_load_n(done, __ATOMIC_ACQUIRE); i++) {
		if (dax_read_path(path, stat, sizeof(stat)) < 0)
			return;
		state = strrchr(stat, ')');
		sleeping = state && state[2] != 'R' ? sleeping + 1 : 0;
		if (sleeping == 20)
			return;
		usleep(5000);
	}
}

/* The worker thread of io_uring: what would block, and a gate might, goes to it. */
static inline pid_t find_worker(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t tid = 0;

	while (!tid && (entry = readdir(tasks))) {
		char path[300], comm[32];

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		if (dax_read_path(path, comm, sizeof(comm)) > 0 && !strncmp(comm, "iou-wrk", 7))
			tid = atoi(entry->d_name);
	}
	closedir(tasks);
	return tid;
}

/* Wait until the one request that was submitted is in the device's hands. */
static inline void wait_for_worker(void)
{
	const bool never = false;
	pid_t tid;

	while (!(tid = find_worker()))
		usleep(1000);
	wait_until_blocked(tid, &never);
}

#endif /* DIRECT_ASYNC_H */
