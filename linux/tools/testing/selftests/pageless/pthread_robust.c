// SPDX-License-Identifier: GPL-2.0
/*
 * When the owner of a robust mutex in a DAX file dies, the next one to lock it
 * gets EOWNERDEAD, asleep already or not.  Without that, one crashed process
 * blocks a database for ever.
 */
#include <pthread.h>
#include "dax_fixture.h"

static pthread_mutex_t *mutex_at(char *p)
{
	return (pthread_mutex_t *)(p + 2 * PMD_SZ + 3 * PAGE_SZ);
}

static void init_mutex(pthread_mutex_t *m, int protocol)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, protocol);
	if (pthread_mutex_init(m, &attr))
		dax_die("pthread_mutex_init");
}

/* A child that locks through its own mapping and dies after @usec. */
static pid_t owner_that_dies(int fd, bool huge, useconds_t usec, int locked)
{
	pid_t pid = fork();

	if (!pid) {
		char *q = dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, !huge);

		if (pthread_mutex_lock(mutex_at(q)) || write(locked, "x", 1) != 1)
			_exit(1);
		usleep(usec);
		raise(SIGKILL);
	}
	return pid;
}

static void expect_owner_dead(struct __test_metadata *_metadata, int fd, char *p, bool huge,
			      int protocol, useconds_t usec)
{
	pthread_mutex_t *m = mutex_at(p);
	int locked[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(locked));
	init_mutex(m, protocol);
	pid = owner_that_dies(fd, huge, usec, locked[1]);
	ASSERT_EQ(1, read(locked[0], &c, 1));
	WHEN(!usec, EXPECT_EQ(128 + SIGKILL, dax_wait(pid)));
	ASSERT_EQ(EOWNERDEAD, pthread_mutex_lock(m));
	WHEN(usec, EXPECT_EQ(128 + SIGKILL, dax_wait(pid)));
	EXPECT_EQ(0, pthread_mutex_consistent(m));
	EXPECT_EQ(0, pthread_mutex_unlock(m));
	EXPECT_EQ(0, pthread_mutex_lock(m));
	EXPECT_EQ(0, pthread_mutex_unlock(m));
}

TEST_F(map, owner_died_before)
{
	expect_owner_dead(_metadata, self->fd, self->p, variant->huge, PTHREAD_PRIO_NONE, 0);
}

TEST_F(map, owner_dies_while_we_wait)
{
	expect_owner_dead(_metadata, self->fd, self->p, variant->huge, PTHREAD_PRIO_NONE, 300000);
}

TEST_F(map, pi_owner_died_before)
{
	expect_owner_dead(_metadata, self->fd, self->p, variant->huge, PTHREAD_PRIO_INHERIT, 0);
}

TEST_F(map, pi_owner_dies_while_we_wait)
{
	expect_owner_dead(_metadata, self->fd, self->p, variant->huge, PTHREAD_PRIO_INHERIT, 300000);
}

DAX_TEST_MAIN
