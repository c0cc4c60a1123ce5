// SPDX-License-Identifier: GPL-2.0
/*
 * fork() while another thread truncates the file: the child must not keep entries
 * that truncation has taken from the parent, or it reads and writes a block that
 * belongs to another file by then.
 */
#include <pthread.h>
#include "dax_fixture.h"

#define ROUNDS 60

static void *truncate_file(void *fd)
{
	return (void *)(long)ftruncate(*(int *)fd, 0);
}

/* The signal that a child gets which was forked beside the truncation. */
static int child_signal(struct __test_metadata *_metadata, int fd, char *p)
{
	pthread_t thread;
	int go[2];
	pid_t pid;
	void *ret;
	char c;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pthread_create(&thread, NULL, truncate_file, &fd));
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1))
			_exit(255);
		_exit(dax_try_load(p));
	}
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(NULL, ret);
	close(go[0]);
	close(go[1]);
	return dax_wait(pid);
}

TEST_F(map, child_loses_what_was_truncated)
{
	for (int i = 0; i < ROUNDS; i++) {
		int fd = dax_create(PMD_SZ);
		char *p = dax_map(fd, 0, PMD_SZ, PROT_READ | PROT_WRITE, MAP_SHARED,
				  variant->huge);

		dax_populate(p, PMD_SZ);
		ASSERT_EQ(SIGBUS, child_signal(_metadata, fd, p)) TH_LOG("round %d", i);
		munmap(p, PMD_SZ);
		close(fd);
	}
}

DAX_TEST_MAIN
