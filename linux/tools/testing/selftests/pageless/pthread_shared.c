// SPDX-License-Identifier: GPL-2.0
/*
 * Process-shared mutexes and condition variables in a DAX file exclude and wake
 * across processes that map it at different addresses and levels.  LMDB, PMDK
 * and PostgreSQL keep such locks in their files.
 */
#include <pthread.h>
#include "dax_fixture.h"

#define ROUNDS 500
#define WORKERS 4

struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	long counter;
	int turn;
};

static struct shared *shared_at(char *p)
{
	return (struct shared *)(p + PMD_SZ + 5 * PAGE_SZ);
}

static void init_shared(struct shared *s, int protocol)
{
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;

	memset(s, 0, sizeof(*s));
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setprotocol(&ma, protocol);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
	if (pthread_mutex_init(&s->mutex, &ma) || pthread_cond_init(&s->cond, &ca))
		dax_die("pthread_mutex_init");
}

/* Every second worker maps the file at the other level. */
static struct shared *map_shared(int fd, bool huge)
{
	return shared_at(dax_map(fd, 0, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, huge));
}

static void count(struct shared *s)
{
	for (int i = 0; i < ROUNDS; i++) {
		long n;

		if (pthread_mutex_lock(&s->mutex))
			_exit(1);
		n = s->counter;
		if (i % 16 == 0)
			sched_yield();
		s->counter = n + 1;
		if (pthread_mutex_unlock(&s->mutex))
			_exit(2);
	}
}

static void expect_exclusion(struct __test_metadata *_metadata, int fd, struct shared *s)
{
	pid_t pid[WORKERS];

	for (int i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			count(map_shared(fd, i % 2));
			_exit(0);
		}
	}
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, dax_wait(pid[i]));
	EXPECT_EQ((long)WORKERS * ROUNDS, s->counter);
}

TEST_F(map, mutex_excludes)
{
	struct shared *s = shared_at(self->p);

	init_shared(s, PTHREAD_PRIO_NONE);
	expect_exclusion(_metadata, self->fd, s);
}

/* Priority inheritance: the kernel keeps the owner in the word. */
TEST_F(map, pi_mutex_excludes)
{
	struct shared *s = shared_at(self->p);

	init_shared(s, PTHREAD_PRIO_INHERIT);
	expect_exclusion(_metadata, self->fd, s);
}

/* Two processes take turns, each woken by the other. */
static void take_turns(struct shared *s, int me)
{
	for (int i = 0; i < ROUNDS / 10; i++) {
		pthread_mutex_lock(&s->mutex);
		while (s->turn != me)
			pthread_cond_wait(&s->cond, &s->mutex);
		s->turn = !me;
		s->counter++;
		pthread_cond_broadcast(&s->cond);
		pthread_mutex_unlock(&s->mutex);
	}
}

TEST_F(map, condition_wakes_the_other_process)
{
	struct shared *s = shared_at(self->p);
	pid_t pid;

	init_shared(s, PTHREAD_PRIO_NONE);
	pid = fork();
	if (!pid) {
		take_turns(map_shared(self->fd, !variant->huge), 1);
		_exit(0);
	}
	take_turns(s, 0);
	EXPECT_EQ(0, dax_wait(pid));
	EXPECT_EQ(2 * ROUNDS / 10, s->counter);
}

DAX_TEST_MAIN
