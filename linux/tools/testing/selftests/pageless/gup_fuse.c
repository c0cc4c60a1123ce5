// SPDX-License-Identifier: GPL-2.0
/*
 * A FUSE file with direct I/O hands pages of the caller's buffer to the queue of
 * the server, and takes pages of the server's buffer for its answer.  With a DAX
 * mapping as either of the two the data is right or the call gives EFAULT.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <linux/fuse.h>
#include "dax_fixture.h"

#define LEN	(16 * PAGE_SZ)
#define AT	(PMD_SZ - LEN / 2)
#define ROOM	(LEN + PAGE_SZ)		/* of a request */

FIXTURE(fuse)
{
	char dir[32];
	int dax;
	char *p;		/* a DAX mapping */
	char *store;		/* what the server's file has, shared with it */
	pid_t server;
	int fd;			/* the file */
};

FIXTURE_VARIANT(fuse)
{
	bool huge;
	bool answer;	/* the server answers out of the mapping */
};

FIXTURE_VARIANT_ADD(fuse, buffer_pte) { .huge = false };
FIXTURE_VARIANT_ADD(fuse, buffer_pmd) { .huge = true };
FIXTURE_VARIANT_ADD(fuse, answer_pte) { .huge = false, .answer = true };
FIXTURE_VARIANT_ADD(fuse, answer_pmd) { .huge = true, .answer = true };

static ssize_t reply(int dev, const struct fuse_in_header *in, int err, const void *data,
		     size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + len, .error = -err, .unique = in->unique,
	};
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)data, len } };

	return writev(dev, iov, len ? 2 : 1);
}

static void reply_attr(int dev, const struct fuse_in_header *in)
{
	struct fuse_attr attr = { .ino = in->nodeid, .nlink = 1, .size = LEN, .blksize = PAGE_SZ };
	struct fuse_entry_out entry = { .nodeid = 2 };
	struct fuse_attr_out out = { 0 };

	attr.mode = in->nodeid == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	out.attr = attr;
	if (in->opcode == FUSE_GETATTR) {
		reply(dev, in, 0, &out, sizeof(out));
		return;
	}
	attr.ino = 2;
	attr.mode = S_IFREG | 0644;
	entry.attr = attr;
	reply(dev, in, 0, &entry, sizeof(entry));
}

/* One file of LEN bytes, whatever its name is; until the mount is gone. */
static void serve(int dev, char *store, const char *answer)
{
	static char request[ROOM];
	const struct fuse_in_header *in = (void *)request;
	const void *arg = in + 1;

	while (read(dev, request, ROOM) > 0) {
		const struct fuse_write_in *w = arg;
		const struct fuse_read_in *r = arg;

		switch (in->opcode) {
		case FUSE_INIT: {
			struct fuse_init_out out = {
				.major = FUSE_KERNEL_VERSION, .minor = 31,
				.max_readahead = 0, .max_write = LEN,
				.flags = FUSE_MAX_PAGES | FUSE_BIG_WRITES, .max_pages = LEN / PAGE_SZ,
			};

			reply(dev, in, 0, &out, sizeof(out));
			break;
		}
		case FUSE_LOOKUP:
		case FUSE_GETATTR:
			reply_attr(dev, in);
			break;
		case FUSE_OPEN: {
			struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO };

			reply(dev, in, 0, &out, sizeof(out));
			break;
		}
		case FUSE_READ:
			if (reply(dev, in, 0, (answer ?: store) + r->offset, r->size) < 0)
				reply(dev, in, errno, NULL, 0);
			break;
		case FUSE_WRITE: {
			struct fuse_write_out out = { .size = w->size };

			memcpy(store + w->offset, w + 1, w->size);
			reply(dev, in, 0, &out, sizeof(out));
			break;
		}
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
			break;
		case FUSE_FLUSH:
		case FUSE_RELEASE:
			reply(dev, in, 0, NULL, 0);
			break;
		default:
			reply(dev, in, EOPNOTSUPP, NULL, 0);
		}
	}
}

FIXTURE_SETUP(fuse)
{
	char options[100], path[64];
	int dev = open("/dev/fuse", O_RDWR);

	if (dev < 0)
		SKIP(return, "kernel without FUSE");
	self->dax = dax_create(MAP_LEN);
	self->p = map_chunks(_metadata, self->dax, variant->huge);
	self->store = dax_anonymous(LEN, MAP_SHARED);
	dax_fill(self->store, LEN, 0, 7);
	snprintf(self->dir, sizeof(self->dir), "/tmp/pageless.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
	if (mount("fuse", self->dir, "fuse", 0, options)) {
		rmdir(self->dir);
		SKIP(return, "cannot mount: %s", strerror(errno));
	}
	self->server = fork();
	if (!self->server) {
		serve(dev, self->store, variant->answer ? self->p + AT : NULL);
		_exit(0);
	}
	close(dev);
	snprintf(path, sizeof(path), "%s/file", self->dir);
	self->fd = open(path, O_RDWR);
	ASSERT_LE(0, self->fd) TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(fuse)
{
	close(self->fd);
	umount2(self->dir, MNT_DETACH);
	rmdir(self->dir);
	kill(self->server, SIGKILL);
	dax_wait(self->server);
}

/*
 * Everything, or the errno of memory without pages; says whether it is everything.
 * It is the server that is told of its buffer, its client hears EIO.
 */
static bool expect_all_or_fault(struct __test_metadata *_metadata, ssize_t ret, bool answer)
{
	if (ret == (ssize_t)LEN)
		return true;
	EXPECT_EQ(answer ? EIO : EFAULT, ERRNO_OF(ret));
	EXPECT_EQ(EFAULT, dax.gup_errno);
	return false;
}

TEST_F(fuse, read)
{
	char *buf = variant->answer ? aligned_alloc(PAGE_SZ, LEN) : self->p + AT;

	bool all = expect_all_or_fault(_metadata, pread(self->fd, buf, LEN, 0),
				       variant->answer);

	WHEN(!variant->answer, EXPECT_EQ(-1, dax_mismatch(buf, LEN, all ? 0 : AT, all ? 7 : 0)));
	WHEN(variant->answer && all, EXPECT_EQ(-1, dax_mismatch(buf, LEN, AT, 0)));
	EXPECT_EQ(-1, dax_file_mismatch(self->dax, 0, AT, 0));
	EXPECT_EQ(-1, dax_file_mismatch(self->dax, AT + LEN, MAP_LEN - AT - LEN, 0));
}

TEST_F(fuse, write)
{
	bool all = expect_all_or_fault(_metadata, pwrite(self->fd, self->p + AT, LEN, 0), false);

	EXPECT_EQ(-1, dax_mismatch(self->store, LEN, all ? AT : 0, all ? 0 : 7));
	EXPECT_EQ(-1, dax_file_mismatch(self->dax, 0, MAP_LEN, 0));
}

/* Whatever became of it, the server goes on. */
TEST_F(fuse, ordinary_buffer_afterwards)
{
	char *buf = aligned_alloc(PAGE_SZ, LEN), *first = variant->answer ? buf : self->p + AT;

	expect_all_or_fault(_metadata, pread(self->fd, first, LEN, 0), variant->answer);
	dax_fill(buf, LEN, 0, 5);
	ASSERT_EQ((ssize_t)LEN, pwrite(self->fd, buf, LEN, 0));
	EXPECT_EQ(-1, dax_mismatch(self->store, LEN, 0, 5));
}

DAX_TEST_MAIN
