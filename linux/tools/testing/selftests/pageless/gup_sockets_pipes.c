// SPDX-License-Identifier: GPL-2.0
/*
 * vmsplice() and MSG_ZEROCOPY hand pages of the caller's memory to pipes and
 * sockets, which count references on them.  Page-less memory has none to hand
 * over: EFAULT, never an skb or a pipe buffer with a page that is not there.
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "dax_fixture.h"

#define LEN (4 * PAGE_SZ)
/* Across the edge of a chunk. */
#define AT (PMD_SZ - LEN / 2)

static void tcp_pair(int pair[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(pair[0], (struct sockaddr *)&addr, len))
		dax_die("TCP over loopback (is lo up?)");
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
}

TEST_F(map, vmsplice_to_a_pipe)
{
	struct iovec iov = { self->p + AT, LEN };
	ssize_t ret;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ret = vmsplice(p[1], &iov, 1, 0);
	EXPECT_EQ(dax.gup_errno, ERRNO_OF(ret));
	if (!dax.gup_errno) {
		EXPECT_EQ((ssize_t)LEN, ret);
		EXPECT_EQ(-1, dax_received_mismatch(p[0], AT, LEN, 0));
	}
}

/* The other way is a copy. */
TEST_F(map, vmsplice_from_a_pipe)
{
	struct iovec iov = { self->p + AT, PAGE_SZ };
	uint64_t buf[PAGE_SZ / 8];
	int p[2];

	ASSERT_EQ(0, pipe(p));
	dax_fill(buf, PAGE_SZ, AT, 1);
	ASSERT_EQ((ssize_t)PAGE_SZ, write(p[1], buf, PAGE_SZ));
	ASSERT_EQ((ssize_t)PAGE_SZ, vmsplice(p[0], &iov, 1, 0));
	EXPECT_EQ(-1, dax_mismatch(self->p + AT, PAGE_SZ, AT, 1));
	EXPECT_EQ(-1, dax_mismatch(self->p, AT, 0, 0));
}

TEST_F(map, zerocopy_send)
{
	int one = 1, s[2];
	ssize_t ret;

	tcp_pair(s);
	if (setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		SKIP(return, "kernel without SO_ZEROCOPY");
	ret = send(s[0], self->p + AT, LEN, MSG_ZEROCOPY);
	EXPECT_EQ(dax.gup_errno, ERRNO_OF(ret));
	if (!dax.gup_errno) {
		EXPECT_EQ((ssize_t)LEN, ret);
		EXPECT_EQ(-1, dax_received_mismatch(s[1], AT, LEN, 0));
	}
}

TEST_F(map, plain_send)
{
	int s[2];

	tcp_pair(s);
	ASSERT_EQ((ssize_t)LEN, send(s[0], self->p + AT, LEN, 0));
	EXPECT_EQ(-1, dax_received_mismatch(s[1], AT, LEN, 0));
}

TEST_F(map, receive_into_the_mapping)
{
	uint64_t buf[PAGE_SZ / 8];
	int s[2];

	tcp_pair(s);
	dax_fill(buf, PAGE_SZ, AT, 2);
	ASSERT_EQ((ssize_t)PAGE_SZ, send(s[0], buf, PAGE_SZ, 0));
	ASSERT_EQ((ssize_t)PAGE_SZ, recv(s[1], self->p + AT, PAGE_SZ, MSG_WAITALL));
	EXPECT_EQ(-1, dax_mismatch(self->p + AT, PAGE_SZ, AT, 2));
	EXPECT_EQ(-1, dax_mismatch(self->p, AT, 0, 0));
}

DAX_TEST_MAIN
